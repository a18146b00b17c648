//! How many file descriptors the process may have, of which the server takes a share.

/// Places for connections, where nothing else bounds them.
const MOST: usize = 256;
/// The server takes one descriptor in so many.
const SHARE: usize = 4;

/// Places for connections, and places for health checks alone beside them.
pub(super) fn places() -> (usize, usize) {
    share_of(descriptors())
}

fn share_of(descriptors: Option<usize>) -> (usize, usize) {
    let places = descriptors.map_or(MOST, |all| (all / SHARE).clamp(4, MOST));
    (places, (places / 8).max(4))
}

/// The soft limit of `RLIMIT_NOFILE`; `None` where there is none or it is not known.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn descriptors() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What most of these systems begin with.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[allow(clippy::unnecessary_wraps, reason = "others do not know it")]
fn descriptors() -> Option<usize> {
    Some(256)
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_takes_a_share() {
        assert_eq!(share_of(None), (256, 32));
        assert_eq!(share_of(Some(1_048_576)), (256, 32));
        assert_eq!(share_of(Some(128)), (32, 4));
        assert_eq!(share_of(Some(8)), (4, 4));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_of_this_process_is_known() {
        assert!(descriptors().is_some());
    }
}
