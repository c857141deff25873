//! Time limits and measured times in words.

use std::time::Duration;

/// A limit in the unit in which people give it: `300 ms`, `1500 ms`, `2 s`, `90 s`, `5 min`. Never rounded to another one below
/// ten seconds: it is in messages beside the setting that moves it.
#[must_use]
pub fn time_limit(limit: Duration) -> String {
    if limit < Duration::from_secs(1) || limit.subsec_millis() != 0 && limit < Duration::from_secs(10) {
        return format!("{} ms", limit.as_millis());
    }
    match limit.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// A measured time in the largest unit that fits: `3.2 ms`, `250 ms`, `1.5 s`, `90 s`, `42 min`, `20 h`, `3 days`.
#[must_use]
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() < 10 => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        0 => format!("{} ms", time.as_millis()),
        1..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_time_is_written_in_the_largest_unit_that_fits() {
        for (milliseconds, text) in [
            (3, "3.0 ms"),
            (10, "10 ms"),
            (999, "999 ms"),
            (1_500, "1.5 s"),
            (10_000, "10 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (7_199_000, "119 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 days"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn limits_are_written_as_people_give_them() {
        for (limit, text) in [
            (300, "300 ms"),
            (1500, "1500 ms"),
            (2000, "2 s"),
            (60_000, "60 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
        ] {
            assert_eq!(time_limit(Duration::from_millis(limit)), text);
        }
    }
}
