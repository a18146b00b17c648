//! How long to stay for a last scrape of the metrics, learned from the scrapes seen.

use std::time::Duration;

use super::Moment;

/// Assumed while a single scrape is all there was: the interval that Prometheus' own example configuration
/// has.
const UNKNOWN_INTERVAL: Duration = Duration::from_secs(15);

/// The newest gaps between scrapes that are remembered.
const GAPS: usize = 8;

/// The scrapes seen so far.
#[derive(Debug, Default)]
pub(crate) struct Scrapes {
    newest: Option<Moment>,
    gaps: [Option<Duration>; GAPS],
    next_gap: usize,
}

impl Scrapes {
    /// Notes a scrape.
    pub(crate) fn saw(&mut self, now: Moment) {
        if let Some(before) = self.newest.replace(now) {
            self.gaps[self.next_gap] = Some(now.saturating_sub(before));
            self.next_gap = (self.next_gap + 1) % GAPS;
        }
    }

    /// When the newest came.
    pub(crate) fn newest(&self) -> Option<Moment> {
        self.newest
    }

    /// The interval: the longest of the newest gaps, since of two scrapers one is enough and neither must be
    /// missed.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.newest?;
        Some(self.gaps.iter().flatten().max().copied().unwrap_or(UNKNOWN_INTERVAL))
    }

    /// How long to wait for another; `None` if there was no scrape.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.interval().map(|interval| interval.saturating_mul(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after(scrapes: &[u64]) -> Scrapes {
        let mut seen = Scrapes::default();
        for at in scrapes {
            seen.saw(seconds(*at));
        }
        seen
    }

    #[test]
    fn without_a_scrape_none_is_waited_for() {
        assert_eq!(after(&[]).patience(), None);
    }

    #[test]
    fn one_scrape_tells_no_interval() {
        assert_eq!(after(&[7]).patience(), Some(seconds(30)));
    }

    #[test]
    fn twice_the_longest_of_the_newest_gaps() {
        assert_eq!(after(&[0, 5, 10, 16]).patience(), Some(seconds(12)));
    }

    #[test]
    fn old_gaps_are_forgotten() {
        let restarted: Vec<u64> = std::iter::once(0).chain((100..110).map(|n| n * 5)).collect();
        assert_eq!(after(&restarted).interval(), Some(seconds(5)));
    }
}
