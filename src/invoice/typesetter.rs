//! Turns text into lines of glyphs, measured in twentieths of a point. No floats: the same text is as wide everywhere.

use std::ops::Range;
use std::sync::LazyLock;

use harfrust::{Buffer, Direction, Script, ShapeOptions, ShapePlan, ShaperFont, font};

use super::{RenderError, printable};

/// A letter that the fonts lack is shown as this one; its text stays what it was.
const STAND_IN: char = '\u{fffd}';

/// The scripts the fonts have letters of, but for a few more that are set as if they were of none.
const SCRIPTS: [Option<Script>; 4] = [None, Some(Script::LATIN), Some(Script::CYRILLIC), Some(Script::GREEK)];

/// A font, and how each script is set in it: made once, since that takes longer than to set a line.
struct Loaded {
    font: font::Font,
    plans: [ShapePlan; 4],
}

static FONTS: LazyLock<Option<[Loaded; 2]>> = LazyLock::new(|| {
    let load = |bytes: &'static [u8]| {
        let font = font::Font::new(bytes, 0)?;
        let plans = SCRIPTS.map(|script| ShapePlan::new(&font, Direction::LeftToRight, script, None, &[]));
        Some(Loaded { font, plans })
    };
    Some([load(notosans::REGULAR_TTF)?, load(notosans::BOLD_TTF)?])
});

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Regular,
    Bold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Black,
    Grey,
    /// For rules.
    Light,
    /// For areas that hold text.
    Pale,
    Link,
}

/// How text looks; `size` in twentieths of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) face: Face,
    pub(super) size: i32,
    pub(super) ink: Ink,
}

/// A glyph, measured in the font's units.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) glyph: u32,
    /// Of the run's text, in bytes.
    pub(super) text: Range<usize>,
    pub(super) advance: i32,
    pub(super) x_offset: i32,
    pub(super) y_offset: i32,
}

/// One line of text, ready to be placed.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) glyphs: Vec<Placed>,
    pub(super) style: Style,
    pub(super) width: i32,
    /// How many of the font's units are its size.
    pub(super) units_per_em: i32,
}

pub(super) struct Typesetter {
    regular: (ShaperFont<'static, 'static>, &'static Loaded),
    bold: (ShaperFont<'static, 'static>, &'static Loaded),
}

impl Style {
    pub(super) const fn new(face: Face, size: i32, ink: Ink) -> Self {
        Self { face, size, ink }
    }

    pub(super) const fn inked(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }

    /// From baseline to baseline.
    pub(super) const fn leading(self) -> i32 {
        (self.size * 27).div_euclid(20)
    }
}

impl Typesetter {
    pub(super) fn new() -> Result<Self, RenderError> {
        let unreadable = || RenderError::Pdf { why: "the built-in fonts cannot be read".to_owned() };
        let [regular, bold] = FONTS.as_ref().ok_or_else(unreadable)?;
        let ready = |loaded: &'static Loaded| (ShaperFont::new(&loaded.font), loaded);
        Ok(Self { regular: ready(regular), bold: ready(bold) })
    }

    /// The text on one line, however wide.
    pub(super) fn line(&self, text: &str, style: Style) -> Result<Run, RenderError> {
        self.shape(printable(text), style)
    }

    /// The text on as many lines as it takes; a word that is too long for one is broken.
    pub(super) fn wrapped(&self, text: &str, style: Style, width: i32) -> Result<Vec<Run>, RenderError> {
        let whole = self.line(text, style)?;
        if whole.width <= width {
            return Ok(vec![whole]);
        }
        let mut lines = Vec::new();
        let (mut line, mut used) = (String::new(), 0);
        for word in pieces(&whole.text) {
            let room = width - used;
            let wide = self.shape(word.to_owned(), style)?.width;
            if wide > room && self.shape(word.trim_end().to_owned(), style)?.width > room {
                if !line.is_empty() {
                    lines.push(self.shape(std::mem::take(&mut line).trim_end().to_owned(), style)?);
                }
                line = self.broken(word, style, width, &mut lines)?;
                used = self.shape(line.clone(), style)?.width;
            } else {
                line.push_str(word);
                used += wide;
            }
        }
        if !line.is_empty() {
            lines.push(self.shape(line.trim_end().to_owned(), style)?);
        }
        Ok(lines)
    }

    /// Fills whole lines with a word that is too long; returns what is left of it.
    fn broken(&self, word: &str, style: Style, width: i32, lines: &mut Vec<Run>) -> Result<String, RenderError> {
        let mut rest = word;
        loop {
            let run = self.shape(rest.to_owned(), style)?;
            if run.width <= width || self.shape(rest.trim_end().to_owned(), style)?.width <= width {
                return Ok(rest.to_owned());
            }
            let (head, tail) = rest.split_at(fitting(&run, width));
            if head.is_empty() {
                return Ok(rest.to_owned());
            }
            lines.push(self.shape(head.to_owned(), style)?);
            rest = tail;
        }
    }

    fn shape(&self, text: String, style: Style) -> Result<Run, RenderError> {
        let (font, loaded) = match style.face {
            Face::Regular => &self.regular,
            Face::Bold => &self.bold,
        };
        let mut buffer = Buffer::new();
        buffer.push_str(&text);
        buffer.guess_segment_properties();
        // The fonts have letters that run from left to right only; the machine's own language makes no difference.
        buffer.set_direction(Direction::LeftToRight);
        buffer.set_language(None);
        let script = buffer.script().filter(|script| SCRIPTS.contains(&Some(*script)));
        buffer.set_script(script);
        let plan = SCRIPTS.iter().zip(&loaded.plans).find(|(known, _)| **known == script).map(|(_, plan)| plan);
        harfrust::shape(font, &mut buffer, ShapeOptions::new().plan(plan))
            .map_err(|error| RenderError::Pdf { why: error.to_string() })?;
        let mut glyphs: Vec<Placed> = Vec::with_capacity(buffer.len());
        for (info, position) in buffer.glyph_infos().iter().zip(buffer.glyph_positions()) {
            let start = usize::try_from(info.cluster).unwrap_or(0);
            let (glyph, advance) = stand_in(font, info.glyph_id, position.x_advance);
            let placed =
                Placed { glyph, text: start..start, advance, x_offset: position.x_offset, y_offset: position.y_offset };
            glyphs.push(placed);
        }
        close_ranges(&mut glyphs, text.len());
        let units: i32 = glyphs.iter().map(|glyph| glyph.advance).sum();
        let units_per_em = i32::from(font.units_per_em());
        let width = scaled(units, style.size, units_per_em)?;
        Ok(Run { text, glyphs, style, width, units_per_em })
    }
}

/// The glyph and its advance, or those of the stand-in for a letter that the font lacks.
fn stand_in(font: &ShaperFont<'_, '_>, glyph: u32, advance: i32) -> (u32, i32) {
    if glyph != 0 {
        return (glyph, advance);
    }
    let found = font.nominal_glyph(u32::from(STAND_IN)).or_else(|| font.nominal_glyph(u32::from('?')));
    found.map_or((glyph, advance), |found| (found.to_u32(), font.glyph_h_advance(found)))
}

/// A glyph's text reaches to where the next cluster begins; glyphs of one cluster share it.
fn close_ranges(glyphs: &mut [Placed], end: usize) {
    let mut next = end;
    let mut close = end;
    for glyph in glyphs.iter_mut().rev() {
        if glyph.text.start != next {
            close = next;
            next = glyph.text.start;
        }
        glyph.text.end = close;
    }
}

/// How many bytes of the run's text fit: at least one cluster.
fn fitting(run: &Run, width: i32) -> usize {
    let mut units: i32 = 0;
    let mut fits = 0;
    for glyph in &run.glyphs {
        units = units.saturating_add(glyph.advance);
        if fits > 0 && scaled(units, run.style.size, run.units_per_em).is_ok_and(|end| end > width) {
            break;
        }
        fits = glyph.text.end;
    }
    fits
}

fn scaled(units: i32, size: i32, units_per_em: i32) -> Result<i32, RenderError> {
    let scaled = (i64::from(units) * i64::from(size)).div_euclid(i64::from(units_per_em.max(1)));
    i32::try_from(scaled).map_err(|_| RenderError::TooLarge { what: "a line of text" })
}

/// The text in pieces between which a line may end: after spaces, and after hyphens and slashes inside of words.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', '-', '/', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::new(Face::Regular, 180, Ink::Black);

    fn lines(text: &str, width: i32) -> Vec<String> {
        let lines = Typesetter::new().unwrap().wrapped(text, STYLE, width).unwrap();
        for line in &lines {
            assert!(line.width <= width || line.text.chars().count() == 1, "{line:?}");
        }
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn text_is_broken_between_words_and_a_long_word_anywhere() {
        assert_eq!(lines("two words", 10_000), ["two words"]);
        assert_eq!(lines("two  words\nmore", 900), ["two words", "more"]);
        assert_eq!(lines("", 900), [""]);
        assert_eq!(lines("A4-Papier", 700), ["A4-", "Papier"]);
        let long = "Rindfleischetikettierungsüberwachungsaufgabe";
        let broken = lines(long, 900);
        assert!(broken.len() > 3);
        assert_eq!(broken.concat(), long);
        assert_eq!(lines("ab", 1), ["a", "b"]);
    }

    #[test]
    fn a_letter_no_font_has_is_shown_but_never_as_the_missing_glyph() {
        let run = Typesetter::new().unwrap().line("東 a\u{301}é ♞", STYLE).unwrap();
        assert!(run.glyphs.iter().all(|glyph| glyph.glyph != 0), "{run:?}");
        assert_eq!(run.glyphs.iter().map(|glyph| run.text[glyph.text.clone()].len()).max(), Some(3));
    }

    #[test]
    fn digits_are_all_as_wide() {
        let typesetter = Typesetter::new().unwrap();
        for face in [Face::Regular, Face::Bold] {
            let style = Style { face, ..STYLE };
            let width = |text: &str| typesetter.line(text, style).unwrap().width;
            assert!((1..10).all(|digit| width(&format!("{digit}{digit}")) == width("00")));
        }
    }
}
