//! Points in time as RFC 3339 text in UTC with milliseconds, the form of every time in our JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last instant that the format has: its years have four digits (RFC 3339 section 5.6).
const LAST: Duration = Duration::from_millis(253_402_300_799_999);

/// `2026-11-21T05:30:39.123Z`. Times before 1970 show as its first instant, those after the year 9999 as its last.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
    let (days, second_of_day) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The minute, for people, in UTC: `02:13Z`, and with its day where that is not the one of `now`.
pub(crate) fn clock(time: SystemTime, now: SystemTime) -> String {
    let (time, now) = (rfc3339(time), rfc3339(now));
    let (day, minute) = (&time[5..10], &time[11..16]);
    if time[..10] == now[..10] { format!("{minute}Z") } else { format!("{day} {minute}Z") }
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Years are counted
/// from March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_p02_a_time_beyond_four_digits_of_a_year_is_the_last_one() {
        for seconds in [253_402_300_800, 9_000_000_000_000_000] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), "9999-12-31T23:59:59.999Z");
        }
        assert_eq!(rfc3339(UNIX_EPOCH + LAST - Duration::from_millis(999)), "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn a_minute_has_its_day_where_that_is_another_one() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(clock(at(1_795_239_039), at(1_795_239_100)), "05:30Z");
        assert_eq!(clock(at(1_795_239_039), at(1_795_339_100)), "11-21 05:30Z");
    }

    #[test]
    fn known_instants() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_795_239_039_123, "2026-11-21T05:30:39.123Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_millis(milliseconds)), expected);
        }
    }
}
