//! The letter around an invoice's lines: sender, address, what it is about, and the foot of each page.
//!
//! Laid out for A4 and a window envelope (DIN 5008, form B). All lengths are twentieths of a point, from the top left.

use super::RenderError;
use super::paper::{Mark, Marks, mm};
use super::typesetter::{Face, Ink, Run, Style, Typesetter};
use super::words::{self, Words, words};
use crate::domain::customer::{Address, Language};
use crate::domain::invoice::sheet::InvoiceSheet;

pub(super) const LEFT: i32 = mm(200);
pub(super) const RIGHT: i32 = mm(1900);
pub(super) const WIDTH: i32 = RIGHT - LEFT;

pub(super) const BODY: Style = Style::new(Face::Regular, 180, Ink::Black);
pub(super) const STRONG: Style = Style::new(Face::Bold, 180, Ink::Black);
pub(super) const LABEL: Style = Style::new(Face::Regular, 180, Ink::Grey);
pub(super) const HEAD: Style = Style::new(Face::Bold, 160, Ink::Grey);
const SMALL: Style = Style::new(Face::Regular, 140, Ink::Grey);
const ADDRESS: Style = Style::new(Face::Regular, 205, Ink::Black);
const NAME: Style = Style::new(Face::Bold, 320, Ink::Black);
const LONG_NAME: Style = Style::new(Face::Bold, 220, Ink::Black);
const TITLE: Style = Style::new(Face::Bold, 360, Ink::Black);

pub(super) const HAIRLINE: i32 = 8;
const LINE: i32 = 14;

/// The window's inner width, and where its two parts begin.
const WINDOW: i32 = mm(800);
const SENDER: i32 = mm(605);
const RECIPIENT: i32 = mm(675);

/// Of the block beside the window.
const BLOCK: i32 = mm(1200);
const FOOT: i32 = mm(2850);
const NUMBER_AT: i32 = mm(2885);

/// Pages in the making.
pub(super) struct Layout<'a> {
    pub(super) sheet: &'a InvoiceSheet,
    pub(super) words: &'static Words,
    pub(super) language: Language,
    pub(super) typesetter: Typesetter,
    done: Vec<Marks>,
    page: Marks,
    /// Down to where the page is filled.
    pub(super) y: i32,
    /// Down to where it may be.
    bottom: i32,
    foot: [Vec<Run>; 3],
}

/// Every page of the invoice.
pub(super) fn pages(sheet: &InvoiceSheet) -> Result<Vec<Marks>, RenderError> {
    let language = sheet.parties.language;
    let (words, typesetter) = (words(language), Typesetter::new()?);
    let foot = foot(sheet, words, &typesetter)?;
    let bottom = foot_top(&foot) - mm(60);
    let (done, page) = (Vec::new(), Marks::new());
    let mut layout = Layout { sheet, words, language, typesetter, done, page, y: 0, bottom, foot };
    layout.letterhead()?;
    layout.address()?;
    layout.block()?;
    layout.title()?;
    layout.lines()?;
    layout.totals()?;
    layout.payment()?;
    layout.finish()
}

impl Layout<'_> {
    pub(super) fn place(&mut self, x: i32, y: i32, run: Run) {
        self.page.push(Mark::Text { x, y, run });
    }

    pub(super) fn place_to(&mut self, right: i32, y: i32, run: Run) {
        self.place(right - run.width, y, run);
    }

    pub(super) fn left(&mut self, x: i32, y: i32, text: &str, style: Style) -> Result<(), RenderError> {
        let run = self.typesetter.line(text, style)?;
        self.place(x, y, run);
        Ok(())
    }

    /// Ends at `right`.
    pub(super) fn right(&mut self, right: i32, y: i32, text: &str, style: Style) -> Result<(), RenderError> {
        let run = self.typesetter.line(text, style)?;
        self.place_to(right, y, run);
        Ok(())
    }

    pub(super) fn area(&mut self, x: i32, y: i32, width: i32, height: i32, ink: Ink) {
        self.page.push(Mark::Area { x, y, width, height, ink });
    }

    pub(super) fn rule(&mut self, x: i32, y: i32, width: i32, ink: Ink) {
        let height = if ink == Ink::Light { HAIRLINE } else { LINE };
        self.area(x, y, width, height, ink);
    }

    pub(super) fn link(&mut self, x: i32, y: i32, width: i32, height: i32, url: &str) {
        self.page.push(Mark::Link { x, y, width, height, url: url.to_owned() });
    }

    pub(super) fn fits(&self, height: i32) -> bool {
        self.y + height <= self.bottom
    }

    /// Turns the page if so much does not fit on this one.
    pub(super) fn need(&mut self, height: i32) -> Result<(), RenderError> {
        if self.fits(height) { Ok(()) } else { self.turn() }
    }

    pub(super) fn turn(&mut self) -> Result<(), RenderError> {
        self.done.push(std::mem::take(&mut self.page));
        let y = mm(200);
        let about = format!("{} {}", self.words.kind(self.sheet), self.sheet.number);
        let about = self.typesetter.line(&about, SMALL)?;
        let seller = self.typesetter.wrapped(&self.sheet.parties.seller.name, SMALL, WIDTH - about.width - mm(60))?;
        self.place_to(RIGHT, y, about);
        if let Some(name) = seller.into_iter().next() {
            self.place(LEFT, y, name);
        }
        self.rule(LEFT, y + mm(22), WIDTH, Ink::Light);
        self.y = mm(290);
        Ok(())
    }

    fn letterhead(&mut self) -> Result<(), RenderError> {
        let name = &self.sheet.parties.seller.name;
        let mut runs = self.typesetter.wrapped(name, NAME, WIDTH)?;
        if runs.len() > 1 {
            runs = self.typesetter.wrapped(name, LONG_NAME, WIDTH)?;
        }
        let mut y = mm(270);
        // The foot has the rest of a name that fills the head.
        for run in runs.into_iter().take(4) {
            let leading = run.style.leading();
            self.place(LEFT, y, run);
            y += leading;
        }
        // Where the sheet is folded, and where it is punched.
        for (tenths, width) in [(1050, 40), (1485, 60), (2100, 40)] {
            self.area(mm(50), mm(tenths), mm(width), HAIRLINE, Ink::Light);
        }
        Ok(())
    }

    /// In the window: the sender in small print above the recipient.
    fn address(&mut self) -> Result<(), RenderError> {
        let parties = &self.sheet.parties;
        let sender: Vec<String> =
            std::iter::once(parties.seller.name.clone()).chain(postal(&parties.seller.address)).collect();
        let mut sender = self.typesetter.wrapped(&sender.join("  ·  "), SMALL, WINDOW)?;
        sender.truncate(3);
        let mut y = SENDER;
        for run in sender.into_iter().rev() {
            self.place(LEFT, y, run);
            y -= SMALL.leading();
        }
        self.rule(LEFT, SENDER + mm(14), WINDOW, Ink::Light);
        let mut lines = vec![parties.customer_name.clone()];
        lines.extend(postal(&parties.customer_address));
        let home = parties.seller.address.country.as_deref();
        if let Some(country) = parties.customer_address.country.as_deref().filter(|country| Some(*country) != home) {
            lines.push(words::country(country, self.language));
        }
        let mut y = RECIPIENT;
        for line in lines {
            for run in self.typesetter.wrapped(&line, ADDRESS, WINDOW)? {
                self.place(LEFT, y, run);
                y += ADDRESS.leading();
            }
        }
        self.y = y;
        Ok(())
    }

    fn block(&mut self) -> Result<(), RenderError> {
        let (sheet, words) = (self.sheet, self.words);
        let day = |day| words::date(day, self.language);
        let mut rows = vec![
            (words.number_of(sheet), sheet.number.to_string()),
            (words.date, day(sheet.dated)),
            (words.order, sheet.order.clone()),
            (words.customer, sheet.parties.customer_number.clone()),
        ];
        rows.extend(sheet.parties.customer_vat_id.iter().map(|id| (words.customer_vat_id, id.clone())));
        if sheet.to_pay()?.is_positive() {
            rows.extend(sheet.due_on.map(|due| (words.due, day(due))));
        }
        let mut y = SENDER;
        for (label, value) in rows {
            let label = self.typesetter.line(label, LABEL)?;
            let room = RIGHT - BLOCK - label.width - mm(30);
            self.place(BLOCK, y, label);
            for run in self.typesetter.wrapped(&value, BODY, room)? {
                self.place_to(RIGHT, y, run);
                y += mm(52);
            }
        }
        self.y = self.y.max(y);
        Ok(())
    }

    fn title(&mut self) -> Result<(), RenderError> {
        let sheet = self.sheet;
        let mut y = mm(1070).max(self.y + mm(120));
        for run in self.typesetter.wrapped(&format!("{} {}", self.words.kind(sheet), sheet.number), TITLE, WIDTH)? {
            self.place(LEFT, y, run);
            y += TITLE.leading();
        }
        let introduction = words::introduction(sheet, self.language);
        for run in self.typesetter.wrapped(&introduction, BODY, WIDTH)? {
            self.place(LEFT, y, run);
            y += BODY.leading();
        }
        self.y = y + mm(40);
        Ok(())
    }

    /// Puts the foot under every page, now that their number is known.
    fn finish(mut self) -> Result<Vec<Marks>, RenderError> {
        let mut pages = std::mem::take(&mut self.done);
        pages.push(std::mem::take(&mut self.page));
        let count = pages.len();
        let top = foot_top(&self.foot);
        let column = WIDTH.div_euclid(3);
        for (at, page) in pages.iter_mut().enumerate() {
            self.page = std::mem::take(page);
            self.rule(LEFT, top - mm(45), WIDTH, Ink::Light);
            let mut x = LEFT;
            for runs in self.foot.clone() {
                let mut y = top;
                for run in runs {
                    self.place(x, y, run);
                    y += SMALL.leading();
                }
                x += column;
            }
            self.right(RIGHT, NUMBER_AT, &words::page(at + 1, count, self.language), SMALL)?;
            *page = std::mem::take(&mut self.page);
        }
        Ok(pages)
    }
}

/// The lines of an address, but for its country.
fn postal(address: &Address) -> Vec<String> {
    let place: Vec<&str> = [&address.postcode, &address.city].into_iter().flatten().map(String::as_str).collect();
    address.street.iter().flat_map(|street| street.lines()).map(str::to_owned).chain(joined(&place)).collect()
}

fn joined(words: &[&str]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

/// `DE02 1203 0000 0000 2020 51`.
pub(super) fn grouped(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().filter(|c| !c.is_whitespace()).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// The baseline of the foot's first line.
fn foot_top(foot: &[Vec<Run>; 3]) -> i32 {
    let lines = foot.iter().map(Vec::len).max().unwrap_or(0);
    FOOT - i32::try_from(lines).unwrap_or(0) * SMALL.leading()
}

fn foot(sheet: &InvoiceSheet, words: &Words, typesetter: &Typesetter) -> Result<[Vec<Run>; 3], RenderError> {
    let seller = &sheet.parties.seller;
    let labelled = |label: &str, value: &Option<String>| value.as_ref().map(|value| format!("{label} {value}"));
    let mut who = vec![seller.name.clone()];
    who.extend(postal(&seller.address));
    let mut registered: Vec<String> = seller.email.clone().into_iter().collect();
    registered.extend(labelled(words.vat_id, &seller.vat_id));
    registered.extend(labelled(words.tax_number, &seller.tax_number));
    let mut bank: Vec<String> = seller.iban.iter().map(|iban| format!("IBAN {}", grouped(iban))).collect();
    bank.extend(labelled("BIC", &seller.bic));
    bank.extend(seller.note.clone());
    let column = |lines: Vec<String>| -> Result<Vec<Run>, RenderError> {
        let width = WIDTH.div_euclid(3) - mm(40);
        let lines: Result<Vec<_>, _> = lines.iter().map(|line| typesetter.wrapped(line, SMALL, width)).collect();
        Ok(lines?.into_iter().flatten().collect())
    };
    Ok([column(who)?, column(registered)?, column(bank)?])
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// What stands on the page, from the top; each with its left and right end and its baseline.
    fn texts(marks: &Marks) -> Vec<(String, i32, i32, i32)> {
        let texts = marks.iter().filter_map(|mark| match mark {
            Mark::Text { x, y, run } => Some((run.text.clone(), *x, x + run.width, *y)),
            Mark::Area { .. } | Mark::Link { .. } => None,
        });
        texts.collect()
    }

    #[test]
    fn nothing_leaves_the_margins_or_stands_on_another_text() {
        for sheet in sample::odd_ones() {
            for page in pages(&sheet).unwrap() {
                let texts = texts(&page);
                for (at, (text, left, right, y)) in texts.iter().enumerate() {
                    assert!(*left >= LEFT && *right <= RIGHT + 1, "`{text}` from {left} to {right}");
                    assert!(*y >= mm(150) && *y <= mm(2900), "`{text}` at {y}");
                    let clash = texts.iter().skip(at + 1).find(|(_, other_left, other_right, other_y)| {
                        (y - other_y).abs() < 100 && left.max(other_left) < right.min(other_right)
                    });
                    assert!(clash.is_none(), "`{text}` stands on {clash:?}");
                }
            }
        }
    }

    #[test]
    fn each_page_has_its_number_and_the_head_of_the_table() {
        let pages = pages(&sample::long()).unwrap();
        assert!(pages.len() > 2);
        let count = pages.len();
        for (at, page) in pages.iter().enumerate() {
            let texts = texts(page);
            let has = |wanted: &str| texts.iter().any(|(text, ..)| text == wanted);
            assert!(has(&format!("Page {} of {count}", at + 1)));
            assert!(has("Description") || at + 1 == count, "page {}", at + 1);
        }
    }

    #[test]
    fn an_iban_is_read_in_fours() {
        assert_eq!(grouped("DE02120300000000202051"), "DE02 1203 0000 0000 2020 51");
    }
}
