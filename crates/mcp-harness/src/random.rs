//! Noise that a seed decides. `mcp-transport` has its own, because its fuzz targets build without this crate.

use std::time::Duration;

/// A small deterministic source of noise (SplitMix64): the same seed, the same test.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() >> 1).unwrap_or(usize::MAX) % bound.max(1)
    }

    /// Whether something happens that happens once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A time from `first` to before `end`, to the nanosecond; `first` where there is none.
    pub fn between(&mut self, first: Duration, end: Duration) -> Duration {
        first + end.saturating_sub(first).mul_f64(self.share())
    }

    /// A number of at least 0 and below 1.
    pub fn share(&mut self) -> f64 {
        // As many bits as a `f64` holds exactly.
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something happens that does so in this share of all cases.
    pub fn happens(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// One of several.
    ///
    /// # Panics
    /// Where there is none.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
