//! The few fields of a certificate (RFC 5280 section 4.1) that say whether it is its own authority, for which names it is, and
//! how long it is good.

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::UnixTime;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// 2.5.4.3 and 2.5.4.10 (X.520).
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const EXTENSIONS: u8 = 0xa3;
const OCTETS: u8 = 0x04;
/// 2.5.29.17 (RFC 5280 section 4.2.1.6), and the kinds of its names that a host has.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 29, 17];
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// Some are for hundreds of names.
const MAX_NAMES: usize = 100;

/// What of a certificate is looked at.
pub(super) struct Fields<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    from: UnixTime,
    until: UnixTime,
    days: (String, String),
    /// What follows the subject.
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads a certificate in DER; `None` where it is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = inside(der, SEQUENCE)?;
        let (mut rest, _) = inside(certificate, SEQUENCE)?;
        if rest.first() == Some(&VERSION) {
            rest = element(rest)?.2;
        }
        // Serial number and signature algorithm.
        rest = element(element(rest)?.2)?.2;
        let (_, issuer, rest) = element(rest)?;
        let (validity, rest) = inside(rest, SEQUENCE)?;
        let (_, subject, rest) = element(rest)?;
        let (from, first, after) = time(validity)?;
        let (until, last, _) = time(after)?;
        Some(Self { issuer, subject, from, until, days: (first, last), rest })
    }

    /// Whether it is signed automatically, as far as its names tell.
    pub(super) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    /// Who signed it: the common name, or the organisation where there is none.
    pub(super) fn issuer(&self) -> Option<String> {
        attribute(self.issuer, COMMON_NAME).or_else(|| attribute(self.issuer, ORGANIZATION))
    }

    /// Whom it is about, in the same way.
    pub(super) fn subject(&self) -> Option<String> {
        attribute(self.subject, COMMON_NAME).or_else(|| attribute(self.subject, ORGANIZATION))
    }

    /// The one name that it has where it has none for hosts, as plain tools make certificates: in place of one by common
    /// practice before RFC 9110 (section 4.3.4).
    pub(super) fn only_name(&self) -> Option<String> {
        attribute(self.subject, COMMON_NAME).filter(|_| self.names().is_empty())
    }

    /// The hosts that it is for, names and addresses, as they stand in it.
    pub(super) fn names(&self) -> Vec<String> {
        self.alternative_names().unwrap_or_default()
    }

    fn alternative_names(&self) -> Option<Vec<String>> {
        // The key and the two identifiers that are not in use come first.
        let mut rest = self.rest;
        let mut extensions = loop {
            let (tag, content, after) = element(rest)?;
            if tag == EXTENSIONS {
                break inside(content, SEQUENCE)?.0;
            }
            rest = after;
        };
        loop {
            let (extension, after) = inside(extensions, SEQUENCE)?;
            let (kind, mut value) = inside(extension, OBJECT_IDENTIFIER)?;
            extensions = after;
            if kind != ALTERNATIVE_NAMES {
                continue;
            }
            // Whether it is critical may stand in between.
            let octets = loop {
                let (tag, content, after) = element(value)?;
                if tag == OCTETS {
                    break content;
                }
                value = after;
            };
            let (mut listed, _) = inside(octets, SEQUENCE)?;
            let mut names = Vec::new();
            while let (Some((tag, name, after)), true) = (element(listed), names.len() < MAX_NAMES) {
                match tag {
                    DNS_NAME => names.push(String::from_utf8_lossy(name).into_owned()),
                    IP_ADDRESS => names.extend(address(name)),
                    _ => {}
                }
                listed = after;
            }
            return Some(names);
        }
    }

    /// The first and the last day on which it is good, such as `2026-11-29`.
    pub(super) fn days(&self) -> (&str, &str) {
        (&self.days.0, &self.days.1)
    }

    /// When it begins, since the beginning of 1970.
    pub(super) fn from(&self) -> Duration {
        Duration::from_secs(self.from.as_secs())
    }

    /// When it ends, since the beginning of 1970.
    pub(super) fn until(&self) -> Duration {
        Duration::from_secs(self.until.as_secs())
    }

    pub(super) fn has_begun(&self, now: UnixTime) -> bool {
        self.from <= now
    }

    pub(super) fn has_ended(&self, now: UnixTime) -> bool {
        self.until < now
    }
}

/// The value of an attribute in a name (RFC 5280 section 4.1.2.4).
fn attribute(mut name: &[u8], wanted: &[u8]) -> Option<String> {
    while let Some((set, rest)) = inside(name, SET) {
        let (pair, _) = inside(set, SEQUENCE)?;
        let (kind, value) = inside(pair, OBJECT_IDENTIFIER)?;
        if kind == wanted {
            let (_, text, _) = element(value)?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        name = rest;
    }
    None
}

/// The next element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short if short < 0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            if bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the next element, which has this tag, and what follows it.
fn inside(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or(sixteen).ok().map(|address| address.to_string())
}

/// A point in time, its day, and what follows it.
fn time(der: &[u8]) -> Option<(UnixTime, String, &[u8])> {
    let (tag, text, rest) = element(der)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, rest_at) = match tag {
        // Two digits stand for 1950 to 2049.
        UTC_TIME => (number(0, 2).map(|year| if year < 50 { year + 2000 } else { year + 1900 })?, 2),
        GENERALIZED_TIME => (number(0, 4)?, 4),
        _ => return None,
    };
    let mut parts = [0; 5];
    for (index, part) in parts.iter_mut().enumerate() {
        *part = number(rest_at + index * 2, rest_at + index * 2 + 2)?;
    }
    let [month, day, hour, minute, second] = parts;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    Some((time, format!("{year:04}-{month:02}-{day:02}"), rest))
}

/// Days from 1970-01-01 to this date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their odd day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn fixture(name: &str) -> CertificateDer<'static> {
        let path = [env!("CARGO_MANIFEST_DIR"), "tests/it/tls", name].iter().collect::<std::path::PathBuf>();
        CertificateDer::from_pem_file(path).unwrap()
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        for (date, expected) in
            [((1970, 1, 1), 0), ((2000, 2, 29), 11_016), ((2026, 11, 28), 20_785), ((2100, 3, 1), 47_541)]
        {
            assert_eq!(days(date.0, date.1, date.2), expected, "{date:?}");
        }
    }

    #[test]
    fn fa_a90_what_a_certificate_says_of_itself_is_read() {
        let authority = fixture("authority.pem");
        let authority = Fields::read(&authority).unwrap();
        assert!(authority.is_self_signed() && authority.has_begun(at(1_900_000_000)));
        assert!(authority.has_ended(at(u64::from(u32::MAX) * 4)) && !authority.has_begun(at(0)));
        assert_eq!(authority.issuer().as_deref(), Some("mcplink test authority"));
        let leaf = fixture("localhost.pem");
        let leaf = Fields::read(&leaf).unwrap();
        assert!(!leaf.is_self_signed() && leaf.names() == ["localhost", "127.0.0.1"], "{:?}", leaf.names());
        assert!(authority.names().is_empty() && leaf.days().0 < leaf.days().1, "{:?}", leaf.days());
    }

    #[test]
    fn what_is_no_certificate_is_none_and_never_a_panic() {
        let whole = fixture("localhost.pem");
        let all = |der: &[u8]| Fields::read(der).map(|fields| (fields.names(), fields.subject()));
        for end in 0..whole.len() {
            let _ = all(&whole[..end]);
        }
        for index in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[index] ^= 0xff;
            let _ = all(&changed);
        }
        assert!(Fields::read(b"\x30\x84\xff\xff\xff\xff").is_none() && Fields::read(b"").is_none());
    }
}
