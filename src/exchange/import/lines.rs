//! Physical lines with their numbers, none longer than memory should hold.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// The longest line, and the longest record of several lines: far above any honest row, far below what hurts.
pub(super) const LONGEST: usize = 64 * 1024;

pub(super) const TOO_LONG: &str = "is longer than 65536 bytes";

#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    /// Read already, and given back.
    ahead: VecDeque<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    /// Its end included, as the file has it.
    pub(super) bytes: Vec<u8>,
    /// Only its beginning is here; the rest was skipped.
    pub(super) is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, ahead: VecDeque::new() }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.ahead.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::with_capacity(128);
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        if self.input.by_ref().take(limit).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.number == 1 && without_bom(&bytes).len() < bytes.len() {
            bytes = without_bom(&bytes).to_vec();
        }
        let is_cut = bytes.len() >= LONGEST && bytes.last() != Some(&b'\n');
        if is_cut {
            self.input.skip_until(b'\n')?;
        }
        Ok(Some(Line { number: self.number, bytes, is_cut }))
    }

    /// The next line that holds anything.
    pub(super) fn next_filled(&mut self) -> io::Result<Option<Line>> {
        loop {
            match self.next()? {
                Some(line) if line.bytes.trim_ascii().is_empty() && !line.is_cut => {}
                other => return Ok(other),
            }
        }
    }

    /// Lines that `next` shall hand out again.
    pub(super) fn give_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.ahead.push_front(line);
        }
    }
}

impl Line {
    /// Without its end, `\n` or `\r\n`.
    pub(super) fn content(&self) -> &[u8] {
        let bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        bytes.strip_suffix(b"\r").unwrap_or(bytes)
    }
}

pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_when_given_back() {
        let mut lines = Lines::new(&b"\xef\xbb\xbfa\r\n\n  \nb"[..]);
        let first = lines.next().unwrap().unwrap();
        assert_eq!((first.number, first.content()), (1, &b"a"[..]));
        lines.give_back(vec![first.clone()]);
        assert_eq!(lines.next().unwrap().unwrap(), first);
        let last = lines.next_filled().unwrap().unwrap();
        assert_eq!((last.number, last.content()), (4, &b"b"[..]));
        assert_eq!(lines.next_filled().unwrap(), None);
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_is_found() {
        let text = format!("{}\nnext\n", "x".repeat(3 * LONGEST));
        let mut lines = Lines::new(text.as_bytes());
        let long = lines.next().unwrap().unwrap();
        assert!(long.is_cut);
        assert_eq!(long.bytes.len(), LONGEST);
        let next = lines.next().unwrap().unwrap();
        assert_eq!((next.number, next.content(), next.is_cut), (2, &b"next"[..], false));
    }
}
