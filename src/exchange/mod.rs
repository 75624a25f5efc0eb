//! What comes in and goes out as files: pure readers and writers.

pub mod export;
pub mod import;
