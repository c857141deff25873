//! A ZIP archive as a bundle needs it (APPNOTE.TXT 6.3.10): a few files, stored as they are, with the mode of Unix.
//!
//! Ours, because this is all of it: a crate would bring compression, encryption and times. The same files make the same bytes: no
//! time is in them.

/// One file.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) content: &'a [u8],
    /// Whether it is a program.
    pub(super) runs: bool,
}

/// 2.0, the first version with folders in names.
const VERSION: u16 = 20;
/// Made on Unix (4.4.2), so that the mode counts.
const UNIX: u16 = 3 << 8;
/// Names are UTF-8 (4.4.4).
const UTF8: u16 = 1 << 11;
/// The first day that the format has: 1980-01-01.
const DATE: u16 = 1 << 5 | 1;

/// The archive; `None` where it would be longer than the format without extensions has room for: 4 GiB.
pub(super) fn archive(entries: &[Entry<'_>]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(entries.iter().map(|entry| entry.content.len() + 256).sum());
    let mut directory = Vec::new();
    for entry in entries {
        let at = u32::try_from(out.len()).ok()?;
        let length = u32::try_from(entry.content.len()).ok()?;
        let name = u16::try_from(entry.name.len()).ok()?;
        let mut common = Vec::new();
        for word in [VERSION, UTF8, 0, 0, DATE] {
            common.extend(word.to_le_bytes());
        }
        for word in [crc32(entry.content), length, length] {
            common.extend(word.to_le_bytes());
        }
        common.extend(name.to_le_bytes());
        common.extend([0, 0]);

        out.extend(0x0403_4b50_u32.to_le_bytes());
        out.extend(&common);
        out.extend(entry.name.as_bytes());
        out.extend(entry.content);

        let mode: u32 = if entry.runs { 0o100_755 } else { 0o100_644 };
        directory.extend(0x0201_4b50_u32.to_le_bytes());
        directory.extend((UNIX | VERSION).to_le_bytes());
        directory.extend(&common);
        // No comment, the first disk, no attributes of MS-DOS.
        directory.extend([0; 6]);
        directory.extend((mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let at = u32::try_from(out.len()).ok()?;
    let count = u16::try_from(entries.len()).ok()?;
    out.extend(&directory);
    out.extend(0x0605_4b50_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(u32::try_from(directory.len()).ok()?.to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0; 2]);
    Some(out)
}

/// CRC-32 of ISO 3309, eight bytes at a time: the program is tens of megabytes.
fn crc32(bytes: &[u8]) -> u32 {
    static TABLES: [[u32; 256]; 8] = tables();
    let mut crc = u32::MAX;
    let mut chunks = bytes.chunks_exact(8);
    // Written out: a closure for each byte is slow where nothing is optimized.
    for chunk in &mut chunks {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]])).to_le_bytes();
        crc = TABLES[7][a as usize]
            ^ TABLES[6][b as usize]
            ^ TABLES[5][c as usize]
            ^ TABLES[4][d as usize]
            ^ TABLES[3][chunk[4] as usize]
            ^ TABLES[2][chunk[5] as usize]
            ^ TABLES[1][chunk[6] as usize]
            ^ TABLES[0][chunk[7] as usize];
    }
    for byte in chunks.remainder() {
        crc = TABLES[0][((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);
    }
    !crc
}

#[expect(clippy::cast_possible_truncation, reason = "an index of 256")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        tables[0][at] = crc;
        at += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut at = 0;
        while at < 256 {
            let before = tables[table - 1][at];
            tables[table][at] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            at += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        for (text, crc) in [
            ("", 0),
            ("a", 0xe8b7_be43),
            ("123456789", 0xcbf4_3926),
            ("The quick brown fox jumps over the lazy dog", 0x414f_a339),
        ] {
            assert_eq!(crc32(text.as_bytes()), crc, "{text}");
        }
    }

    #[test]
    fn the_bytes_are_the_same_each_time_and_each_field_has_its_place() {
        let entries = || {
            [
                Entry { name: "a.json", content: b"{}", runs: false },
                Entry { name: "server/x", content: b"123456789", runs: true },
            ]
        };
        let archive = archive(&entries()).unwrap();
        assert_eq!(archive, super::archive(&entries()).unwrap());
        assert!(
            archive.starts_with(b"PK\x03\x04\x14\0\0\x08\0\0\0\0\x21\0"),
            "version, names, stored, no time"
        );
        let word = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap());
        let end = archive.len() - 22;
        assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
        let directory = word(end + 16) as usize;
        assert_eq!(directory + word(end + 12) as usize, end);
        // The second entry of the directory.
        let second = directory + 46 + "a.json".len();
        assert_eq!(word(second + 16), 0xcbf4_3926);
        assert_eq!(word(second + 38) >> 16, 0o100_755);
        let local = word(second + 42) as usize;
        assert_eq!(&archive[local..local + 4], b"PK\x03\x04");
        assert_eq!(&archive[local + 30..local + 38], b"server/x");
        assert_eq!(&archive[local + 38..local + 47], b"123456789");
    }
}
