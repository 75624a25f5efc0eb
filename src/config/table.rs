//! Reads tables of the file key by key and remembers what was asked for, so that a key nobody asked for is a problem.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::problem::{Position, Problem, nearest};
use super::secret::Secret;
use super::toml_text::key_text;
use super::value::{Parsed, TomlValue, Wrong};

/// Where a setting was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Dotted path of its table, empty for the top level.
    pub(super) table: String,
    pub(super) name: String,
    pub(super) position: Position,
}

/// A value that was typed and is right in itself.
#[derive(Debug, Clone)]
pub(super) struct Typed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// `None`: not typed, or typed wrong and reported.
pub(super) type Given<T> = Option<Typed<T>>;

/// One pass over one file. Problems gather here while reading goes on.
#[derive(Debug)]
pub(super) struct Reading<'s> {
    source: &'s str,
    /// Where relative paths start.
    pub(super) folder: PathBuf,
    problems: RefCell<Vec<Problem>>,
    unknown: RefCell<Vec<UnknownKey>>,
    /// Table shape (`provider.NAME`) → the keys it may have.
    known: RefCell<BTreeMap<String, BTreeSet<&'static str>>>,
}

#[derive(Debug)]
struct UnknownKey {
    place: Place,
    shape: String,
}

/// A table whose keys are being read.
#[derive(Debug)]
pub(super) struct Table<'r, 's> {
    reading: &'r Reading<'s>,
    /// Dotted path as typed, and the same with `NAME` for what the user names.
    path: String,
    shape: String,
    place: Place,
    entries: BTreeMap<String, Entry<'r, 's>>,
    is_there: bool,
}

#[derive(Debug, Clone)]
struct Entry<'r, 's> {
    key: Range<usize>,
    value: &'r TomlValue<'s>,
}

impl Place {
    /// The dotted key.
    pub(super) fn key(&self) -> String {
        dotted(&self.table, &self.name)
    }
}

pub(super) fn dotted(table: &str, name: &str) -> String {
    let name = key_text(name);
    if table.is_empty() { name } else { format!("{table}.{name}") }
}

impl UnknownKey {
    fn problem(self, known: &BTreeMap<String, BTreeSet<&'static str>>) -> Problem {
        let Self { place, shape } = self;
        let key = place.key();
        let here = || known.get(&shape).into_iter().flatten().copied();
        let elsewhere = known.iter().find(|(_, names)| names.contains(place.name.as_str()));
        let advice = match (nearest(&place.name, here()), elsewhere) {
            (_, Some((table, _))) if table.is_empty() => {
                "; it belongs to the top level, above the first `[table]`".to_owned()
            }
            (_, Some((table, _))) => format!("; it belongs to `[{table}]`"),
            (Some(near), None) => format!("; the nearest is `{near}`"),
            (None, None) => {
                let all: Vec<String> = here().map(|name| format!("`{name}`")).collect();
                format!("; valid here: {}", all.join(", "))
            }
        };
        Problem { position: place.position, text: format!("`{key}` is not a known key{advice}"), key }
    }
}

impl<'s> Reading<'s> {
    pub(super) fn new(source: &'s str, folder: &Path) -> Self {
        Self {
            source,
            folder: folder.to_owned(),
            problems: RefCell::default(),
            unknown: RefCell::default(),
            known: RefCell::default(),
        }
    }

    pub(super) fn problem(&self, position: Position, key: &str, text: impl Into<String>) {
        self.problems.borrow_mut().push(Problem { position, key: key.to_owned(), text: text.into() });
    }

    /// A problem with a setting, or with the lack of one in the table at `place`.
    pub(super) fn problem_at(&self, place: &Place, why: &str) {
        let key = place.key();
        self.problem(place.position, &key, format!("`{key}`: {why}"));
    }

    /// Whether a key has already been reported, so that what follows from it is not reported as well.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.key == key)
    }

    /// Whether something of a table has already been reported.
    pub(super) fn is_wrong_in(&self, table: &str) -> bool {
        let inside = |key: &str| key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
        self.problems.borrow().iter().any(|problem| inside(&problem.key))
    }

    /// Reads the whole document with `read`.
    pub(super) fn document<T>(&self, root: &DeTable<'s>, read: impl FnOnce(&mut Table<'_, 's>) -> T) -> T {
        let place = Place { table: String::new(), name: String::new(), position: Position::START };
        Table::read(self, place, String::new(), String::new(), Some(root), read)
    }

    /// All problems; unknown keys are judged only now, when every table's keys are known.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let known = self.known.into_inner();
        let unknown = self.unknown.into_inner().into_iter().map(|unknown| unknown.problem(&known));
        self.problems.into_inner().into_iter().chain(unknown).collect()
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeMap<String, BTreeSet<&'static str>> {
        self.known.borrow().clone()
    }

    fn position(&self, span: &Range<usize>) -> Position {
        Position::of(self.source, span.start)
    }

    /// What stands in the file, cut to what fits a message. Never called for secrets.
    fn excerpt(&self, span: &Range<usize>) -> String {
        const LONGEST: usize = 60;
        let text = self.source.get(span.clone()).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let cut: String = line.chars().take(LONGEST).collect();
        if cut.len() == text.len() { cut } else { format!("{cut}...") }
    }
}

impl<'r, 's> Table<'r, 's> {
    fn read<T>(
        reading: &'r Reading<'s>,
        place: Place,
        path: String,
        shape: String,
        table: Option<&'r DeTable<'s>>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let is_there = table.is_some();
        let entries = table
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.get_ref().to_string(), Entry { key: key.span(), value }))
            .collect();
        let mut table = Self { reading, path, shape, place, entries, is_there };
        let result = read(&mut table);
        table.report_unknown_keys();
        result
    }

    /// Where the table's header stands.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the file has the table; one that it lacks is read as an empty one.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    pub(super) fn reading(&self) -> &'r Reading<'s> {
        self.reading
    }

    /// One setting. A value that does not parse is reported and counts as not given.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'r TomlValue<'s>) -> Parsed<T>,
    ) -> Given<T> {
        let (entry, place) = self.entry(name)?;
        match parse(entry.value) {
            Ok(value) => Some(Typed { value, place }),
            Err(Wrong { span, why }) => {
                let key = place.key();
                let text = format!("`{key}` is {}: {why}", self.reading.excerpt(&span));
                self.reading.problem(self.reading.position(&span), &key, text);
                None
            }
        }
    }

    /// One setting that has no default; `why` says what it is for.
    pub(super) fn require<T>(
        &mut self,
        name: &'static str,
        why: &str,
        parse: impl FnOnce(&'r TomlValue<'s>) -> Parsed<T>,
    ) -> Given<T> {
        if !self.entries.contains_key(name) {
            let key = dotted(&self.path, name);
            self.reading.problem(self.place.position, &key, format!("`{key}` is missing: {why}"));
        }
        self.take(name, parse)
    }

    /// A secret's source. What was typed in its place is never repeated.
    pub(super) fn secret(&mut self, name: &'static str) -> Given<Secret> {
        let (entry, place) = self.entry(name)?;
        match Secret::from_toml(entry.value.get_ref(), &self.reading.folder) {
            Ok(value) => Some(Typed { value, place }),
            Err(why) => {
                self.reading.problem_at(&place, &why);
                None
            }
        }
    }

    /// A table with fixed keys; one that is not there is read as an empty one.
    pub(super) fn table<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Table<'r, 's>) -> T) -> T {
        let entry = self.entry(name);
        let place = entry.as_ref().map_or_else(|| self.place.clone(), |(_, place)| place.clone());
        let table = entry.and_then(|(entry, place)| self.as_table(entry.value, &place));
        Table::read(self.reading, place, dotted(&self.path, name), dotted(&self.shape, name), table, read)
    }

    /// Tables whose names the user chooses, in the order of their names.
    pub(super) fn named_tables<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&str, &mut Table<'r, 's>) -> T,
    ) -> Vec<T> {
        let table = self.entry(name).and_then(|(entry, place)| self.as_table(entry.value, &place));
        let path = dotted(&self.path, name);
        let shape = dotted(&dotted(&self.shape, name), "NAME");
        let mut tables = Vec::new();
        for (key, value) in table.into_iter().flatten() {
            let own_name = key.get_ref().as_ref();
            let place =
                Place { table: path.clone(), name: own_name.to_owned(), position: self.reading.position(&key.span()) };
            let Some(inner) = self.as_table(value, &place) else { continue };
            let own_path = place.key();
            tables.push(Table::read(self.reading, place, own_path, shape.clone(), Some(inner), |table| {
                read(own_name, table)
            }));
        }
        tables
    }

    fn as_table(&self, value: &'r TomlValue<'s>, place: &Place) -> Option<&'r DeTable<'s>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            // The value is not shown: what stands where a table belongs may be anything.
            self.reading.problem_at(place, "expected a table");
        }
        table
    }

    fn entry(&mut self, name: &'static str) -> Option<(Entry<'r, 's>, Place)> {
        self.reading.known.borrow_mut().entry(self.shape.clone()).or_default().insert(name);
        let entry = self.entries.remove(name)?;
        let position = self.reading.position(&entry.key);
        Some((entry, Place { table: self.path.clone(), name: name.to_owned(), position }))
    }

    fn report_unknown_keys(self) {
        for (name, entry) in self.entries {
            let position = self.reading.position(&entry.key);
            let place = Place { table: self.path.clone(), name, position };
            self.reading.unknown.borrow_mut().push(UnknownKey { place, shape: self.shape.clone() });
        }
    }
}
