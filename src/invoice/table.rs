//! What an invoice comes to: the table of its lines, the totals with their tax, and how it is paid.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::RenderError;
use super::layout::{BODY, HAIRLINE, HEAD, LABEL, LEFT, Layout, RIGHT, STRONG, WIDTH, grouped};
use super::paper::mm;
use super::typesetter::{Face, Ink, Run, Style};
use super::words;
use crate::domain::invoice::pricing::{PricedLine, Prices, TaxSum, by_rate};
use crate::domain::money::Amount;

const GAP: i32 = mm(40);
const PADDING: i32 = mm(18);
const ITEM_MOST: i32 = mm(320);
/// A row of more lines than this is broken over pages; one of fewer stays whole.
const WHOLE: usize = 8;

/// From one row of the totals to the next.
const STEP: i32 = mm(62);

const HEADLINE: Style = Style::new(Face::Bold, 210, Ink::Black);
const TOTAL: Style = Style::new(Face::Bold, 210, Ink::Black);
const NOTE: Style = Style::new(Face::Regular, 160, Ink::Grey);

/// A line of the order as it is printed; the figures from the position on and after the description end at their edge.
struct Row {
    position: Run,
    item: Vec<Run>,
    description: Vec<Run>,
    figures: [Run; 4],
}

/// A row of the tax table: what stands where.
type TaxRow = Vec<(i32, Run)>;

/// Where the columns begin, and where those of figures end.
struct Columns {
    position: i32,
    item: i32,
    description: i32,
    figures: [i32; 4],
}

impl Layout<'_> {
    /// The table, over as many pages as it takes, its head on each.
    pub(super) fn lines(&mut self) -> Result<(), RenderError> {
        let (columns, rows) = self.rows()?;
        self.head(&columns)?;
        for row in rows {
            self.row(&columns, row)?;
        }
        self.rule(LEFT, self.y, WIDTH, Ink::Grey);
        self.y += mm(60);
        Ok(())
    }

    fn head(&mut self, columns: &Columns) -> Result<(), RenderError> {
        let words = self.words;
        let y = self.y + HEAD.leading();
        self.right(columns.position, y, words.position, HEAD)?;
        if columns.item < columns.description {
            self.left(columns.item, y, words.item, HEAD)?;
        }
        self.left(columns.description, y, words.description, HEAD)?;
        let heads = [words.quantity, words.unit_price, words.vat, words.amount];
        for (right, head) in columns.figures.into_iter().zip(heads) {
            self.right(right, y, head, HEAD)?;
        }
        self.y = y + mm(20);
        self.rule(LEFT, self.y, WIDTH, Ink::Grey);
        Ok(())
    }

    fn row(&mut self, columns: &Columns, row: Row) -> Result<(), RenderError> {
        let count = row.item.len().max(row.description.len());
        let together = if count > WHOLE { 2 } else { i32::try_from(count).unwrap_or(1) };
        if !self.fits(2 * PADDING + together * BODY.leading()) {
            self.turn()?;
            self.head(columns)?;
        }
        self.y += PADDING;
        let first = self.y + BODY.size;
        self.place_to(columns.position, first, row.position);
        for (right, figure) in columns.figures.into_iter().zip(row.figures) {
            self.place_to(right, first, figure);
        }
        let (mut items, mut descriptions) = (row.item.into_iter(), row.description.into_iter());
        for _ in 0..count {
            if !self.fits(PADDING + BODY.leading()) {
                self.turn()?;
                self.head(columns)?;
                self.y += PADDING;
            }
            let y = self.y + BODY.size;
            if let Some(item) = items.next() {
                self.place(columns.item, y, item);
            }
            if let Some(description) = descriptions.next() {
                self.place(columns.description, y, description);
            }
            self.y += BODY.leading();
        }
        self.y += PADDING;
        self.rule(LEFT, self.y, WIDTH, Ink::Light);
        Ok(())
    }

    /// The rows, and columns as wide as their figures need: the description has what is left.
    fn rows(&self) -> Result<(Columns, Vec<Row>), RenderError> {
        let lines = &self.sheet.lines;
        let figures: Result<Vec<_>, RenderError> = lines.iter().map(|line| self.figures(line)).collect();
        let figures = figures?;
        let words = self.words;
        let mut columns = Columns { position: LEFT, item: LEFT, description: LEFT, figures: [RIGHT; 4] };
        let heads = [words.quantity, words.unit_price, words.vat, words.amount];
        let mut right = RIGHT;
        for (at, (edge, head)) in columns.figures.iter_mut().zip(heads).enumerate().rev() {
            let widest = figures.iter().filter_map(|figures| figures.get(at)).map(|run| run.width).max();
            *edge = right;
            right -= widest.unwrap_or(0).max(self.typesetter.line(head, HEAD)?.width) + GAP;
        }
        let mut positions = Vec::new();
        for line in lines {
            positions.push(self.typesetter.line(&line.line.line.to_string(), LABEL)?);
        }
        let widest = positions.iter().map(|run| run.width).max().unwrap_or(0);
        columns.position = LEFT + widest.max(self.typesetter.line(words.position, HEAD)?.width);
        columns.item = columns.position + GAP;
        let items = lines.iter().filter_map(|line| line.line.item.as_deref());
        let mut item_width = 0;
        for item in items.chain(std::iter::once(words.item)) {
            item_width = self.typesetter.line(item, BODY)?.width.clamp(item_width, ITEM_MOST.max(item_width));
        }
        let has_items = lines.iter().any(|line| line.line.item.is_some());
        columns.description = if has_items { columns.item + item_width + GAP } else { columns.item };
        let room = (right - columns.description).max(mm(150));
        let mut rows = Vec::new();
        for ((line, position), figures) in lines.iter().zip(positions).zip(figures) {
            let item = match &line.line.item {
                Some(item) => self.typesetter.wrapped(item, LABEL, item_width)?,
                None => Vec::new(),
            };
            let description = self.typesetter.wrapped(&line.line.description, BODY, room)?;
            rows.push(Row { position, item, description, figures });
        }
        Ok((columns, rows))
    }

    fn figures(&self, line: &PricedLine) -> Result<[Run; 4], RenderError> {
        let language = self.language;
        let amount = match self.sheet.prices {
            Prices::Gross => line.gross()?,
            Prices::Net => line.net,
        };
        let decimals = amount.currency().exponent();
        let texts = [
            words::number(line.line.quantity, 0, language),
            words::number(line.line.unit_price, decimals, language),
            words::percent(line.line.tax_rate, language),
            words::plain_amount(amount, language),
        ];
        let [quantity, price, rate, amount] = texts.each_ref().map(|text| self.typesetter.line(text, BODY));
        Ok([quantity?, price?, rate?, amount?])
    }

    /// The tax table on the left, the totals on the right.
    pub(super) fn totals(&mut self) -> Result<(), RenderError> {
        let (sheet, words, language) = (self.sheet, self.words, self.language);
        let rates = by_rate(&sheet.lines)?;
        let currency = sheet.total.currency();
        let net = Amount::sum(currency, rates.values().map(|sum| sum.net))?;
        let tax = Amount::sum(currency, rates.values().map(|sum| sum.tax))?;
        let mut totals = vec![(words.net_total, net, BODY), (words.vat, tax, BODY), (words.total, sheet.total, TOTAL)];
        if !sheet.paid.is_zero() {
            totals.push((words.paid, sheet.paid.negated(), BODY));
            totals.push((words.to_pay, sheet.open()?, TOTAL));
        }
        let (tax_width, tax_rows) = self.tax_rows(&rates)?;
        let start = LEFT + WIDTH.div_euclid(2) + mm(150);
        let is_beside = LEFT + tax_width + GAP <= start;
        let count = |rows: usize| i32::try_from(rows).unwrap_or(1);
        let (left, right) = (count(tax_rows.len()), count(totals.len()));
        self.need(STEP * if is_beside { left.max(right) } else { left + right + 1 } + mm(30))?;
        let top = self.y + BODY.size;
        self.rule(LEFT, top + mm(16), tax_width, Ink::Light);
        for (at, row) in (0..).zip(tax_rows) {
            for (x, run) in row {
                self.place(x, top + at * STEP, run);
            }
        }
        let mut y = if is_beside { top } else { top + (left + 1) * STEP };
        for (at, (label, amount, style)) in totals.into_iter().enumerate() {
            if style == TOTAL {
                self.rule(start, y - mm(46), RIGHT - start, if at == 2 { Ink::Grey } else { Ink::Light });
            }
            let ink = if style == TOTAL { Ink::Black } else { Ink::Grey };
            self.left(start, y, label, style.inked(ink))?;
            self.right(RIGHT, y, &words::amount(amount, language), style)?;
            y += STEP;
        }
        self.y = y.max(top + left * STEP) + mm(20);
        Ok(())
    }

    /// The tax table's width, and what stands where in each of its rows.
    fn tax_rows(&self, rates: &BTreeMap<Decimal, TaxSum>) -> Result<(i32, Vec<TaxRow>), RenderError> {
        let words = self.words;
        let mut table = Vec::new();
        let heads = [words.vat_rate, words.net, words.vat, words.gross];
        let heads = heads.map(|head| self.typesetter.line(head, HEAD));
        table.push(heads.into_iter().collect::<Result<Vec<Run>, _>>()?);
        for (rate, sum) in rates {
            let amounts = [sum.net, sum.tax, sum.net.checked_add(sum.tax)?];
            let amounts = amounts.map(|amount| words::plain_amount(amount, self.language));
            let texts = std::iter::once(words::percent(*rate, self.language)).chain(amounts);
            table.push(texts.map(|text| self.typesetter.line(&text, BODY)).collect::<Result<Vec<Run>, _>>()?);
        }
        let mut edges = Vec::new();
        let mut edge = LEFT;
        for (at, least) in [mm(180), mm(180), mm(150), mm(180)].into_iter().enumerate() {
            let widest = table.iter().filter_map(|row| row.get(at)).map(|run| run.width).max().unwrap_or(0);
            edge += least.max(widest) + if at == 0 { 0 } else { GAP };
            edges.push(edge);
        }
        let placed = table.into_iter().map(|row| {
            let runs = row.into_iter().zip(&edges).enumerate();
            runs.map(|(at, (run, edge))| (if at == 0 { LEFT } else { edge - run.width }, run)).collect()
        });
        Ok((edge - LEFT, placed.collect()))
    }

    /// What is to be done: nothing, or paying, and how.
    pub(super) fn payment(&mut self) -> Result<(), RenderError> {
        let (sheet, words) = (self.sheet, self.words);
        let open = sheet.to_pay()?;
        let inset = mm(50);
        let (x, room) = (LEFT + inset, WIDTH - 2 * inset);
        let headline = if let Some(corrected) = &sheet.corrects {
            words::takes_back(corrected, self.language)
        } else if sheet.is_charged {
            words::is_charged(sheet.open()?, self.language)
        } else if open.is_positive() {
            words::please_pay(open, sheet.due_on, self.language)
        } else if sheet.total.is_positive() {
            words.paid_in_full.to_owned()
        } else {
            words.nothing_to_pay.to_owned()
        };
        let headline = self.typesetter.wrapped(&headline, HEADLINE, room)?;
        let details = if open.is_positive() { self.bank()? } else { Vec::new() };
        let url = sheet.payment_url.as_deref().filter(|_| open.is_positive());
        let label = self.typesetter.line(words.pay_online, LABEL)?;
        let beside = details.iter().map(|(label, _)| label.width).max().unwrap_or(0).max(label.width) + mm(50);
        let links = match url {
            Some(url) => self.typesetter.wrapped(url, BODY.inked(Ink::Link), room - beside)?,
            None => Vec::new(),
        };
        let step = mm(48);
        let count = |lines: usize| i32::try_from(lines).unwrap_or(0);
        let detail_lines: usize = details.iter().map(|(_, value)| value.len()).sum();
        let below = count(detail_lines + links.len()) * step;
        let between = if below > 0 { mm(20) } else { 0 };
        let height = inset + count(headline.len()) * HEADLINE.leading() + between + below + mm(30);
        self.need(height)?;
        self.area(LEFT, self.y, WIDTH, height, Ink::Pale);
        let mut y = self.y + inset + mm(16);
        for run in headline {
            self.place(x, y, run);
            y += HEADLINE.leading();
        }
        y += between;
        for (label, values) in details {
            self.place(x, y, label);
            for value in values {
                self.place(x + beside, y, value);
                y += step;
            }
        }
        if let Some(url) = url {
            self.place(x, y, label);
            for run in links {
                self.link(x + beside, y - BODY.size, run.width, BODY.leading(), url);
                self.area(x + beside, y + mm(6), run.width, HAIRLINE, Ink::Link);
                self.place(x + beside, y, run);
                y += step;
            }
        }
        self.y += height + mm(60);
        if sheet.corrects.is_some() {
            return Ok(());
        }
        self.need(NOTE.leading())?;
        self.left(LEFT, self.y, words.supplied, NOTE)
    }

    /// Where a transfer goes.
    fn bank(&self) -> Result<Vec<(Run, Vec<Run>)>, RenderError> {
        let (sheet, words) = (self.sheet, self.words);
        let seller = &sheet.parties.seller;
        let Some(iban) = &seller.iban else { return Ok(Vec::new()) };
        let mut details = vec![(words.recipient, seller.name.clone()), ("IBAN", grouped(iban))];
        details.extend(seller.bic.iter().map(|bic| ("BIC", bic.clone())));
        details.push((words.reference, sheet.number.to_string()));
        let room = WIDTH - mm(500);
        let set = details.into_iter().map(|(label, value)| {
            let strong = if label == "IBAN" || label == words.reference { STRONG } else { BODY };
            Ok((self.typesetter.line(label, LABEL)?, self.typesetter.wrapped(&value, strong, room)?))
        });
        set.collect()
    }
}
