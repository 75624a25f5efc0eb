//! Report files as they come: plain, gzipped, or alone in a zip. What a file is, its first bytes say and not its name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

/// The text of a report file, whether it is packed or not. It is unpacked while it is read.
pub fn open_file(mut file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::new();
    // Four bytes and not more: what is no file, such as a pipe, cannot be read again.
    (&mut file).take(4).read_to_end(&mut first)?;
    if matches!(first.as_slice(), [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6]) {
        return unzipped(file);
    }
    let is_gzip = first.starts_with(&[0x1f, 0x8b]);
    let whole = io::Cursor::new(first).chain(file);
    if is_gzip { not_utf16(Box::new(MultiGzDecoder::new(whole))) } else { not_utf16(Box::new(whole)) }
}

/// A spreadsheet's "Unicode text": every other byte of its head is none, with a mark before it or without.
fn not_utf16(mut text: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::new();
    text.by_ref().take(2).read_to_end(&mut first)?;
    let is_utf16 = match first.as_slice() {
        [0xff, 0xfe] | [0xfe, 0xff] => true,
        [one, other] => (*one == 0) != (*other == 0),
        _ => false,
    };
    if is_utf16 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its text is in UTF-16: save it as UTF-8"));
    }
    Ok(Box::new(io::Cursor::new(first).chain(text)))
}

fn unzipped(file: File) -> io::Result<Box<dyn Read + Send>> {
    let refused = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let unreadable = |error: zip::result::ZipError| refused(format!("the zip cannot be read: {error}"));
    let mut archive = ZipArchive::new(file).map_err(unreadable)?;
    let mut files = Vec::new();
    for at in 0..archive.len() {
        // Folders are entries too.
        if !archive.by_index_raw(at).map_err(unreadable)?.is_dir() {
            files.push(at);
        }
    }
    let [at] = *files.as_slice() else {
        let files = files.len();
        return Err(refused(format!("the zip holds {files} files; it has to hold one report: unpack it")));
    };
    let entry = archive.by_index_raw(at).map_err(unreadable)?;
    if entry.encrypted() {
        return Err(refused("the file in the zip is encrypted: unpack it".to_owned()));
    }
    let (method, packed, size, crc) = (entry.compression(), entry.compressed_size(), entry.size(), entry.crc32());
    let start = entry.data_start();
    drop(entry);
    let mut file = archive.into_inner();
    file.seek(SeekFrom::Start(start.ok_or_else(|| refused("the zip does not say where its file is".to_owned()))?))?;
    let packed = io::BufReader::new(file).take(packed);
    let text: Box<dyn Read + Send> = if method == CompressionMethod::STORE {
        Box::new(packed)
    } else if method == CompressionMethod::DEFLATE {
        Box::new(DeflateDecoder::new(packed))
    } else {
        return Err(refused("the zip is packed in another way than by `deflate`: unpack it".to_owned()));
    };
    not_utf16(Box::new(Checked { text, seen: Crc::new(), left: size, crc }))
}

/// What comes out of a zip has to be what went in.
struct Checked {
    text: Box<dyn Read + Send>,
    seen: Crc,
    left: u64,
    crc: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        self.seen.update(buffer.get(..read).unwrap_or_default());
        let left = u64::try_from(read).ok().and_then(|read| self.left.checked_sub(read));
        let is_end = read == 0 && !buffer.is_empty();
        match left {
            Some(left) if !is_end || (left == 0 && self.seen.sum() == self.crc) => {
                self.left = left;
                Ok(read)
            }
            _ => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the zip is broken: what it holds is not what it says"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &str = "balance_transaction_id,net\ntxn_1,1.00\n";

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn text_of(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        open_file(file_of(bytes))?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn gzipped(text: &str) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    }

    /// A zip of stored or deflated files, by hand: the crate that reads it shall not be the one that wrote it.
    fn zipped(files: &[(&str, &str)], is_deflated: bool) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, text) in files {
            let mut crc = Crc::new();
            crc.update(text.as_bytes());
            let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            deflate.write_all(text.as_bytes()).unwrap();
            let packed = if is_deflated { deflate.finish().unwrap() } else { text.as_bytes().to_vec() };
            let length = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
            let mut shared = vec![20, 0, 0, 0, if is_deflated { 8 } else { 0 }, 0, 0, 0, 0x21, 0x58];
            shared.extend(crc.sum().to_le_bytes());
            shared.extend(length(packed.len()));
            shared.extend(length(text.len()));
            shared.extend([u8::try_from(name.len()).unwrap(), 0, 0, 0]);
            directory.extend(b"PK\x01\x02\x14\x00");
            directory.extend(&shared);
            directory.extend([0; 10]);
            directory.extend(length(bytes.len()));
            directory.extend(name.as_bytes());
            bytes.extend(b"PK\x03\x04");
            bytes.extend(shared);
            bytes.extend(name.as_bytes());
            bytes.extend(packed);
        }
        let (start, length) = (u32::try_from(bytes.len()).unwrap(), u32::try_from(directory.len()).unwrap());
        let files = u8::try_from(files.len()).unwrap();
        bytes.extend(directory);
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        bytes.extend([files, 0, files, 0]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn a_folder_in_a_zip_is_no_file() {
        assert_eq!(text_of(&zipped(&[("november/", ""), ("november/a.csv", TEXT)], true)).unwrap(), TEXT);
        let two = zipped(&[("november/", ""), ("november/a.csv", TEXT), ("b.csv", TEXT)], false);
        assert!(text_of(&two).unwrap_err().to_string().contains("the zip holds 2 files"));
    }

    #[test]
    fn a_file_is_unpacked_by_what_it_is() {
        for bytes in [
            TEXT.as_bytes().to_vec(),
            gzipped(TEXT),
            [gzipped("balance_transaction_id,net\n"), gzipped("txn_1,1.00\n")].concat(),
            zipped(&[("a.csv", TEXT)], false),
            zipped(&[("a.csv", TEXT)], true),
        ] {
            assert_eq!(text_of(&bytes).unwrap(), TEXT);
        }
        assert_eq!(text_of(b"").unwrap(), "");
        assert_eq!(text_of(b"PK").unwrap(), "PK");
    }

    #[test]
    fn a_zip_holds_one_report() {
        let two = text_of(&zipped(&[("a.csv", TEXT), ("b.csv", TEXT)], true)).unwrap_err().to_string();
        assert_eq!(two, "the zip holds 2 files; it has to hold one report: unpack it");
        let none = text_of(&zipped(&[], true)).unwrap_err().to_string();
        assert_eq!(none, "the zip holds 0 files; it has to hold one report: unpack it");
    }

    #[test]
    fn what_is_cut_off_or_changed_on_the_way_is_not_taken_for_the_whole() {
        let long = "txn_1,1.00\n".repeat(1000);
        let gzip = gzipped(&long);
        assert!(text_of(&gzip[..gzip.len() - 9]).is_err());
        let zip = zipped(&[("a.csv", &long)], true);
        assert!(text_of(&zip[..zip.len() - 30]).is_err());
        let mut changed = zipped(&[("a.csv", &long)], false);
        changed[100] ^= 1;
        assert!(text_of(&changed).unwrap_err().to_string().contains("broken"));
        assert!(text_of(b"PK\x03\x04nothing of a zip").is_err());
    }

    #[test]
    fn a_zip_whose_file_is_encrypted_is_refused() {
        let mut zip = zipped(&[("a.csv", TEXT)], true);
        let directory = zip.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
        zip[6] |= 1;
        zip[directory + 8] |= 1;
        assert!(text_of(&zip).unwrap_err().to_string().contains("encrypted"));
    }
}
