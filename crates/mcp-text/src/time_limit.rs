//! A time limit in words.

use std::time::Duration;

/// A limit in the unit in which people give it: `300 ms`, `1500 ms`, `2 s`, `90 s`, `5 min`. Never rounded to another one below
/// ten seconds: it stands in messages beside the setting that moves it.
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

#[cfg(test)]
mod tests {
    use super::*;

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
