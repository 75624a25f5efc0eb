//! The paper: what is placed on it, in twentieths of a point from its top left corner, and how that becomes a PDF's page.
//!
//! The only place with floats, which PDF wants; no money is computed here.

#![expect(clippy::float_arithmetic, clippy::disallowed_types, reason = "PDF counts in fractions of a point")]

use std::ops::Range;
use std::sync::LazyLock;

use krilla::Document;
use krilla::action::{Action, LinkAction};
use krilla::annotation::{Annotation, LinkAnnotation, Target};
use krilla::color::rgb;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::{Location, Surface};
use krilla::text::{Font, Glyph, GlyphId};

use super::RenderError;
use super::typesetter::{Face, Ink, Placed, Run};

/// A4, in tenths of a millimetre.
const WIDTH: i32 = 2100;
const HEIGHT: i32 = 2970;

/// What stands on a page.
#[derive(Debug)]
pub(super) enum Mark {
    /// From `x` on, on the baseline `y`.
    Text { x: i32, y: i32, run: Run },
    /// An area; a rule is a thin one.
    Area { x: i32, y: i32, width: i32, height: i32, ink: Ink },
    /// An area that opens a page on the web.
    Link { x: i32, y: i32, width: i32, height: i32, url: String },
}

pub(super) type Marks = Vec<Mark>;

/// Tenths of a millimetre in twentieths of a point.
pub(super) const fn mm(tenths: i32) -> i32 {
    (tenths * 566_929).div_euclid(100_000)
}

/// The fonts as krilla embeds them: read once.
pub(super) struct Fonts {
    regular: Font,
    bold: Font,
}

static FONTS: LazyLock<Option<Fonts>> = LazyLock::new(|| {
    let load = |bytes: &'static [u8]| Font::new(bytes.into(), 0);
    Some(Fonts { regular: load(notosans::REGULAR_TTF)?, bold: load(notosans::BOLD_TTF)? })
});

impl Fonts {
    pub(super) fn get() -> Result<&'static Self, RenderError> {
        FONTS.as_ref().ok_or_else(|| RenderError::Pdf { why: "the built-in fonts cannot be read".to_owned() })
    }

    fn of(&self, face: Face) -> Font {
        match face {
            Face::Regular => self.regular.clone(),
            Face::Bold => self.bold.clone(),
        }
    }
}

/// Draws one page.
pub(super) fn draw(document: &mut Document, fonts: &Fonts, marks: &[Mark]) -> Result<(), RenderError> {
    let off_paper = || RenderError::TooLarge { what: "something on the page" };
    let settings = PageSettings::from_wh(points(mm(WIDTH)), points(mm(HEIGHT))).ok_or_else(off_paper)?;
    let mut page = document.start_page_with(settings);
    let mut surface = page.surface();
    let mut links = Vec::new();
    for mark in marks {
        match mark {
            Mark::Text { x, y, run } => text(&mut surface, fonts, *x, *y, run),
            Mark::Area { x, y, width, height, ink } => {
                let area = rectangle(*x, *y, *width, *height).and_then(path).ok_or_else(off_paper)?;
                surface.set_fill(Some(fill(*ink)));
                surface.draw_path(&area);
            }
            Mark::Link { x, y, width, height, url } => {
                let area = rectangle(*x, *y, *width, *height).ok_or_else(off_paper)?;
                let target = Target::Action(Action::Link(LinkAction::new(url.clone())));
                links.push(Annotation::new_link(LinkAnnotation::new(area, target), Some(url.clone())));
            }
        }
    }
    surface.finish();
    for link in links {
        page.add_annotation(link);
    }
    page.finish();
    Ok(())
}

fn text(surface: &mut Surface<'_>, fonts: &Fonts, x: i32, y: i32, run: &Run) {
    surface.set_fill(Some(fill(run.style.ink)));
    let glyphs: Vec<Drawn<'_>> =
        run.glyphs.iter().map(|placed| Drawn { placed, units_per_em: run.units_per_em }).collect();
    let start = Point::from_xy(points(x), points(y));
    surface.draw_glyphs(start, &glyphs, fonts.of(run.style.face), &run.text, points(run.style.size), false);
}

fn fill(ink: Ink) -> Fill {
    let color = match ink {
        Ink::Black => rgb::Color::new(28, 30, 33),
        Ink::Grey => rgb::Color::new(96, 101, 108),
        Ink::Light => rgb::Color::new(196, 200, 205),
        Ink::Pale => rgb::Color::new(244, 245, 247),
        Ink::Link => rgb::Color::new(24, 84, 164),
    };
    Fill { paint: color.into(), opacity: NormalizedF32::ONE, rule: FillRule::default() }
}

fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Option<Rect> {
    Rect::from_xywh(points(x), points(y), points(width), points(height))
}

fn path(area: Rect) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.push_rect(area);
    path.finish()
}

/// Everything on the paper is far below what 16 bits hold; what is not stands outside of it in any case.
fn float(value: i32) -> f32 {
    f32::from(i16::try_from(value).unwrap_or(i16::MAX))
}

fn points(twentieths: i32) -> f32 {
    float(twentieths) / 20.0
}

/// A glyph as krilla asks for it.
struct Drawn<'a> {
    placed: &'a Placed,
    units_per_em: i32,
}

impl Drawn<'_> {
    fn scaled(&self, units: i32, size: f32) -> f32 {
        float(units) / float(self.units_per_em) * size
    }
}

impl Glyph for Drawn<'_> {
    fn glyph_id(&self) -> GlyphId {
        GlyphId::new(self.placed.glyph)
    }

    fn text_range(&self) -> Range<usize> {
        self.placed.text.clone()
    }

    fn x_advance(&self, size: f32) -> f32 {
        self.scaled(self.placed.advance, size)
    }

    fn x_offset(&self, size: f32) -> f32 {
        self.scaled(self.placed.x_offset, size)
    }

    fn y_offset(&self, size: f32) -> f32 {
        self.scaled(self.placed.y_offset, size)
    }

    fn y_advance(&self, _: f32) -> f32 {
        0.0
    }

    fn location(&self) -> Option<Location> {
        None
    }
}
