//! How long tasks of a group live: a curve of survival, from those that ended and from those that live.
//!
//! The curve is Kaplan and Meier's estimate: a task that lives counts as one that took longer than its age.
//! Without it a young process would know its short tasks alone. Each of `m` ends takes `1 / (m + 1)` of the
//! curve, so that a next task may outlive all that were seen: beyond the longest the curve falls
//! exponentially, by the mean excess of the longest tenth.

/// Fewer ends say nothing about the next.
pub(crate) const ENOUGH: f64 = 5.0;

/// A task that has lived so many times longer than every other is not like them.
const UNLIKE: f64 = 3.0;

/// The least excess, as a share of the longest: tasks that all take as long differ by what timers do.
const LEAST_EXCESS: f64 = 0.005;

/// Durations in seconds between two bounds, and how many tasks took that long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: f64,
}

/// The curve of one group.
#[derive(Clone, Debug)]
pub(crate) struct Lifetimes {
    /// Age in seconds and the share of tasks that live longer; ages ascend, shares fall.
    knots: Vec<(f64, f64)>,
    /// How much longer than the last knot tasks live on average that live longer.
    excess: f64,
    longest: f64,
}

impl Lifetimes {
    /// From ended tasks, shortest first, and the ages of live tasks, youngest first, each with the number of
    /// tasks that it stands for. `None` if too few have ended.
    pub(crate) fn new(ended: &[Stretch], live: &[(f64, f64)]) -> Option<Self> {
        let known: f64 = ended.iter().map(|stretch| stretch.count).sum();
        if known < ENOUGH {
            return None;
        }
        let mut at_risk = known + live.iter().map(|(_, count)| count).sum::<f64>() + 1.0;
        let mut ages = live.iter().peekable();
        let mut knots = vec![(first_age(ended, known), 1.0)];
        let mut survival = 1.0;
        for stretch in ended {
            while let Some((_, count)) = ages.next_if(|(age, _)| *age < stretch.from) {
                at_risk -= count;
            }
            let half = (stretch.to - stretch.from) / stretch.count / 2.0;
            let fall = survival * stretch.count / at_risk;
            push(&mut knots, stretch.from + half, survival - fall / stretch.count);
            survival -= fall;
            push(&mut knots, stretch.to - half, survival);
            at_risk -= stretch.count;
        }
        let longest = ended.last().map_or(0.0, |stretch| stretch.to);
        // No task is known to have ended between the longest duration and the age of the oldest live task.
        let oldest = live.iter().map(|(age, _)| *age).fold(longest, f64::max);
        push(&mut knots, oldest, survival);
        let excess = excess(ended, live, known).max(LEAST_EXCESS * longest).max(1e-6);
        Some(Self { excess, knots, longest })
    }

    /// The share of tasks that live longer than an age.
    pub(crate) fn survival(&self, age: f64) -> f64 {
        let (last_age, last) = self.last();
        if last_age <= age {
            return last * (-(age - last_age) / self.excess).exp();
        }
        let next = self.knots.partition_point(|(knot, _)| *knot <= age);
        let Some(before) = next.checked_sub(1) else { return 1.0 };
        let ((from, high), (to, low)) = (self.knots[before], self.knots[next]);
        high + (low - high) * (age - from) / (to - from)
    }

    /// The chance that a task of this age ends within so many seconds.
    pub(crate) fn ends_within(&self, age: f64, seconds: f64) -> f64 {
        1.0 - self.survival(age + seconds.max(0.0)) / self.survival(age)
    }

    /// In how many seconds half of the tasks of this age have ended.
    pub(crate) fn median_left(&self, age: f64) -> f64 {
        let wanted = self.survival(age) / 2.0;
        let (last_age, last) = self.last();
        if wanted < last {
            return last_age + self.excess * (last / wanted).ln() - age;
        }
        let next = self.knots.partition_point(|(_, share)| wanted < *share).max(1);
        let ((from, high), (to, low)) = (self.knots[next - 1], self.knots[next]);
        let at = if low < high { from + (to - from) * (high - wanted) / (high - low) } else { to };
        (at - age).max(0.0)
    }

    /// Whether a task of this age is like those that ended.
    pub(crate) fn is_like(&self, age: f64) -> bool {
        age <= UNLIKE * self.longest
    }

    fn last(&self) -> (f64, f64) {
        self.knots.last().copied().unwrap_or((0.0, 1.0))
    }
}

/// Adds a knot; one at the age of the last replaces its share.
fn push(knots: &mut Vec<(f64, f64)>, age: f64, share: f64) {
    match knots.last_mut() {
        Some(last) if age <= last.0 => last.1 = share,
        _ => knots.push((age, share)),
    }
}

/// Where the curve begins to fall: before the shortest by as much as the others are apart.
fn first_age(ended: &[Stretch], known: f64) -> f64 {
    let (first, last) = (ended[0].from, ended[ended.len() - 1].to);
    (first - (last - first) / known).max(0.0)
}

/// The mean excess over the duration at which the longest tenth begins, of five at least. Live tasks that are
/// older than that took longer than their age.
fn excess(ended: &[Stretch], live: &[(f64, f64)], known: f64) -> f64 {
    let wanted = (known / 10.0).max(ENOUGH).min(known - 1.0);
    let (mut taken, mut sum, mut threshold) = (0.0, 0.0, 0.0);
    for stretch in ended.iter().rev() {
        threshold = f64::midpoint(stretch.from, stretch.to);
        let count = stretch.count.min(wanted - taken);
        sum += count * threshold;
        taken += count;
        if wanted <= taken {
            break;
        }
    }
    let older = live.iter().filter(|(age, _)| threshold < *age);
    let outlived: f64 = older.map(|(age, count)| count * (age - threshold)).sum();
    (sum - taken * threshold + outlived) / taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::stretches;

    fn ended(durations: impl IntoIterator<Item = f64>) -> Vec<Stretch> {
        stretches(durations.into_iter().collect())
    }

    #[track_caller]
    fn near(value: f64, wanted: f64, tolerance: f64) {
        assert!((value - wanted).abs() <= tolerance, "{value} is not {wanted}");
    }

    #[test]
    fn few_ends_say_nothing() {
        assert!(Lifetimes::new(&ended([1.0; 4]), &[]).is_none());
    }

    #[test]
    fn tasks_that_all_take_as_long_end_then() {
        let curve = Lifetimes::new(&ended([200.0; 60]), &[]).unwrap();
        near(curve.median_left(0.0), 200.0, 2.0);
        near(curve.median_left(150.0), 50.0, 2.0);
        assert!(curve.ends_within(150.0, 40.0) < 0.05);
        assert!(0.9 < curve.ends_within(150.0, 60.0));
    }

    #[test]
    fn a_task_is_expected_to_end_as_those_of_its_age_did() {
        // Nine of ten take 1 s and one takes 100 s, so a task that is 10 s old is one of the latter.
        let durations = (0..200).map(|n| if n % 10 == 0 { 100.0 } else { 1.0 });
        let curve = Lifetimes::new(&ended(durations), &[]).unwrap();
        near(curve.median_left(0.0), 1.0, 0.1);
        near(curve.median_left(10.0), 90.0, 2.0);
        assert!(curve.is_like(150.0) && !curve.is_like(400.0));
    }

    #[test]
    fn live_tasks_count_as_longer_than_their_age() {
        let short = ended([1.0; 10]);
        let naive = Lifetimes::new(&short, &[]).unwrap();
        let honest = Lifetimes::new(&short, &[(30.0, 10.0)]).unwrap();
        assert!(0.8 < naive.ends_within(0.0, 2.0));
        near(honest.ends_within(0.0, 2.0), 0.5, 0.1);
    }

    #[test]
    fn shares_of_uniform_durations_fall_evenly() {
        let curve = Lifetimes::new(&ended((0..1000).map(|n| 1.0 + f64::from(n) / 1000.0)), &[]).unwrap();
        for age in [1.1, 1.25, 1.5, 1.9] {
            near(curve.survival(age), 2.0 - age, 0.01);
        }
        near(curve.median_left(1.5), 0.25, 0.01);
    }
}
