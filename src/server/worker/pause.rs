//! How long to wait after a failure: twice as long each time, and never all at the same moment.

use std::time::Duration;

/// The pause after so many failures in a row: `first`, doubled with each, at most `longest`; of that a random part
/// between half and all, so that those who failed together do not come back together.
pub(super) fn after(failures: u32, first: Duration, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let whole = first.saturating_mul(1 << doublings).min(longest);
    let mut random = [0_u8; 4];
    // Without randomness the whole pause is right as well.
    let part = match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    };
    whole.mul_f64(part.mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::after;

    #[test]
    fn a_pause_doubles_up_to_its_longest_and_is_never_less_than_half_of_it() {
        let (first, longest) = (Duration::from_secs(30), Duration::from_secs(3600));
        for (failures, whole) in [(0, 30), (1, 30), (2, 60), (5, 480), (8, 3600), (u32::MAX, 3600)] {
            for _ in 0..20 {
                let pause = after(failures, first, longest);
                let whole = Duration::from_secs(whole);
                assert!(whole / 2 <= pause && pause <= whole, "{failures}: {pause:?}");
            }
        }
        let many: std::collections::BTreeSet<_> = (0..20).map(|_| after(1, first, longest)).collect();
        assert!(many.len() > 1, "not all at the same moment");
    }
}
