//! The process stays until it was scraped once more.

use super::*;

#[test]
fn lingering_ends_with_a_scrape() {
    let effects = play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (5_000, Input::Scraped, Stage::Running),
            (6_000, Input::Start, Stage::Draining),
            (6_000, pending(1, 0), Stage::Draining),
            (7_000, Input::Scraped, Stage::Draining),
            (8_000, pending(0, 0), Stage::Lingering),
            (10_000, Input::Scraped, Stage::Done),
        ],
    );
    assert_eq!(verdict(&effects), Some(Verdict::Drained));
}

#[test]
fn lingering_ends_after_twice_the_interval() {
    play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (5_000, Input::Scraped, Stage::Running),
            (6_000, Input::Start, Stage::Draining),
            (6_000, pending(0, 0), Stage::Lingering),
            (15_999, Input::Tick, Stage::Lingering),
            (16_000, Input::Tick, Stage::Done),
        ],
    );
}

#[test]
fn lingering_leaves_a_second_before_the_end() {
    play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (60_000, Input::Scraped, Stage::Running),
            (60_000, Input::Start, Stage::Draining),
            (80_000, pending(0, 0), Stage::Lingering),
            (87_999, Input::Tick, Stage::Lingering),
            (88_000, Input::Tick, Stage::Done),
        ],
    );
}

#[test]
fn there_is_no_lingering_without_a_scrape_or_after_a_force() {
    play(LINGERING, &[(0, Input::Start, Stage::Draining), (0, pending(0, 0), Stage::Done)]);
    play(
        LINGERING,
        &[
            (0, Input::Scraped, Stage::Running),
            (0, Input::Start, Stage::Draining),
            (0, pending(1, 0), Stage::Draining),
            (1, FORCE, Stage::Aborting),
            (2, pending(0, 0), Stage::Done),
        ],
    );
}
