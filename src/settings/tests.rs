use std::time::Duration;

use super::table::TABLE;
use super::*;
use crate::error::Error;
use crate::snapshot::OnShutdown;

fn take(pairs: &[(&str, &str)]) -> Result<(Settings, Variables), Error> {
    let mut settings = Settings::default();
    let variables = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let taken = settings.take_variables(variables)?;
    Ok((settings, taken))
}

fn refusal(variable: &str, text: &str) -> String {
    let error = take(&[(variable, text)]).map(|_| ()).unwrap_err();
    assert!(error.is_setting());
    error.to_string()
}

#[test]
fn each_variable_is_named_after_its_setting() {
    for row in TABLE {
        assert_eq!(row.variable, format!("HEADCOUNT_{}", row.name.to_uppercase()));
    }
}

#[test]
fn every_default_is_well_formed_and_makes_no_difference() {
    let defaults: Vec<_> = TABLE.iter().map(|row| (row.variable, row.default)).collect();
    let (_, taken) = take(&defaults).unwrap();
    assert!(taken.differences.is_empty());
}

/// Before `install`, and with `HEADCOUNT=off`, the core's own act.
#[test]
fn the_defaults_of_the_core_are_those_of_the_table() {
    use headcount_core::internal::registry::{config, untracked};

    let settings = Settings::default();
    assert_eq!(settings.history, config::DEFAULT_HISTORY);
    assert_eq!(settings.max_groups, config::DEFAULT_MAX_GROUPS);
    assert_eq!(settings.slow_poll, config::DEFAULT_SLOW_POLL);
    assert_eq!(settings.blocked_after, config::DEFAULT_BLOCKED_AFTER);
    assert_eq!(settings.connection_grace, untracked::CONNECTION_GRACE);
    let buckets: Vec<_> = settings.buckets.0.iter().map(Duration::as_secs_f64).collect();
    assert_eq!(buckets, config::DEFAULT_BUCKETS);
}

#[test]
fn what_a_variable_changes_is_reported() {
    let (settings, taken) =
        take(&[("HEADCOUNT_DRAIN_TIMEOUT", "1m 30s"), ("HEADCOUNT_HISTORY", "1000")]).unwrap();
    assert_eq!(settings.drain_timeout, Some(Duration::from_secs(90)));
    let told: Vec<_> = taken.differences.iter().map(|d| (d.variable, &*d.from, &*d.to)).collect();
    assert_eq!(told, [("HEADCOUNT_DRAIN_TIMEOUT", "25s", "1m 30s")]);
}

#[test]
fn the_exit_follows_the_deadline_unless_it_is_set() {
    let exit_after = |pairs: &[(&str, &str)]| take(pairs).unwrap().0.exit_after;
    assert_eq!(exit_after(&[]), Some(Duration::from_secs(29)));
    assert_eq!(exit_after(&[("HEADCOUNT_DRAIN_TIMEOUT", "5s")]), Some(Duration::from_secs(9)));
    assert_eq!(exit_after(&[("HEADCOUNT_DRAIN_TIMEOUT", "none")]), None);
    assert_eq!(exit_after(&[("HEADCOUNT_EXIT_AFTER", "7s")]), Some(Duration::from_secs(7)));
    assert_eq!(exit_after(&[("HEADCOUNT_EXIT_AFTER", "none")]), None);
}

#[test]
fn each_type_reads_what_the_contract_says() {
    let (settings, _) = take(&[
        ("HEADCOUNT_ADMIN", "none"),
        ("HEADCOUNT_ALLOW_ACTIONS", "YES"),
        ("HEADCOUNT_LINGER", "auto"),
        ("HEADCOUNT_ALLOWED_HOSTS", "shop.example, admin.shop.example"),
        ("HEADCOUNT_POLICY", "shop::cache::*=last, poller=CANCEL"),
        ("HEADCOUNT_HIDE", "messages,fields,stacks"),
        ("HEADCOUNT_BUCKETS", "1s,10ms"),
    ])
    .unwrap();
    assert_eq!(settings.admin, None);
    assert_eq!(settings.allow_actions, true.into());
    assert_eq!(settings.linger, Linger::Auto);
    assert_eq!(settings.allowed_hosts, ["shop.example", "admin.shop.example"]);
    let rules = [("shop::cache::*".to_owned(), OnShutdown::Last), ("poller".to_owned(), OnShutdown::Cancel)];
    assert_eq!(settings.policy.0, rules);
    assert_eq!(settings.hide.len(), 3);
    assert_eq!(settings.buckets.0, [Duration::from_millis(10), Duration::from_secs(1)]);
}

#[test]
fn a_malformed_variable_is_named_with_what_would_be_right() {
    assert_eq!(
        refusal("HEADCOUNT_DRAIN_TIMEOUT", "25 parsecs"),
        "HEADCOUNT_DRAIN_TIMEOUT=25 parsecs: expected a duration such as `25s`, `1m 30s` or `500ms`, or `none`"
    );
    assert!(refusal("HEADCOUNT_SIGNALS", "maybe").contains("`true`"));
    assert!(refusal("HEADCOUNT_LINGER", "long").contains("`Off`, `Auto`"));
    assert!(refusal("HEADCOUNT_POLICY", "cache=Never").contains("Wait, Cancel, Last, Detach"));
    assert!(refusal("HEADCOUNT_ADMIN", "7717").contains("`127.0.0.1:7717`"));
}

#[test]
fn unknown_variables_are_reported_and_do_no_harm() {
    let (_, taken) = take(&[("HEADCOUNT_SERVICE_PORT", "80")]).unwrap();
    assert_eq!(taken.unknown, ["HEADCOUNT_SERVICE_PORT"]);
}

#[test]
fn no_token_is_ever_shown() {
    let (_, taken) = take(&[("HEADCOUNT_TOKEN", "swordfish")]).unwrap();
    assert!(taken.differences.iter().all(|difference| !difference.to.contains("swordfish")));
}

#[test]
fn the_document_of_settings_is_fresh() {
    crate::fresh::assert_fresh("docs/SETTINGS.md", &document());
}

#[expect(clippy::format_push_string, reason = "it reads better")]
fn document() -> String {
    let mut text = "# Settings\n\nEach is a method of `Headcount::builder()` and a variable; the variable wins.\n\
        Durations are written as `25s` or `1m 30s`, lists with commas, `none` where a thing can be left out.\n\
        Booleans: `yes`/`no`, `true`/`false`, `1`/`0`. Names of values ignore case.\n\n\
        An empty variable counts as not set. A malformed value is an error of `install`; an unknown `HEADCOUNT_...` \
        variable is logged at WARN.\n\n\
        `HEADCOUNT` takes `on` or `off`; anything else is an error. `HEADCOUNT=off` turns off tracking, metrics, the \
        admin server and the drain.\nTimeouts, limits, keys, services, timers and carriers keep working.\n\n\
        | method | variable | default | feature | what it sets |\n|---|---|---|---|---|\n"
        .to_owned();
    for row in TABLE {
        let about = row
            .about
            .join("")
            .trim()
            .replace("[`Headcount::set_ready`](crate::Headcount::set_ready)", "`hc.set_ready()`");
        let default = if row.name == "exit_after" {
            "`drain_timeout` + 4s".to_owned()
        } else {
            format!("`{}`", row.default)
        };
        let feature = row.feature.unwrap_or("");
        text += &format!("| `{}` | `{}` | {default} | {feature} | {about} |\n", row.name, row.variable);
    }
    text
}

#[test]
fn actions_are_none_or_yes_or_a_list() {
    let actions = |text| take(&[("HEADCOUNT_ALLOW_ACTIONS", text)]).unwrap().0.allow_actions;
    for nothing in ["none", "no", "false", "0", ""] {
        assert!(actions(nothing).is_empty(), "{nothing}");
    }
    for yes in ["yes", "TRUE", "1", "cancel,shutdown"] {
        assert_eq!(actions(yes), [Action::Cancel, Action::Shutdown].into(), "{yes}");
    }
    assert_eq!(actions("Run, close"), [Action::Close, Action::Run].into());
    assert!(refusal("HEADCOUNT_ALLOW_ACTIONS", "cancel,reboot").contains("`cancel`"));
}

#[test]
fn a_trace_url_leads_to_one_host_of_the_web() {
    for sound in [
        "https://jaeger.example/trace/{trace_id}",
        "HTTP://127.0.0.1:16686/trace/{trace_id}?of={trace_id}",
        "https://[::1]/{trace_id}",
        "https://tempo.example/explore?left=%5B%22{trace_id}%22%5D#x",
    ] {
        assert!(take(&[("HEADCOUNT_TRACE_URL", sound)]).is_ok(), "{sound}");
    }
    let chosen = |url: &str| {
        let mut settings = crate::Headcount::builder().trace_url(url).settings;
        settings.take_variables(std::iter::empty()).unwrap();
        settings.check()
    };
    for unsound in [
        "javascript:alert(1)//{trace_id}",
        "data:text/html,/{trace_id}",
        "//jaeger.example/{trace_id}",
        "jaeger.example/{trace_id}",
        "https:///{trace_id}",
        "https://{trace_id}/",
        "https://{trace_id}.example/{trace_id}",
        "https://user@jaeger.example/{trace_id}",
        "https://jaeger.example?x=/{trace_id}",
        "https://jaeger.example/trace",
        "https://jaeger.example/{span_id}/{trace_id}",
        "https://jaeger.example/\"{trace_id}",
        "https://jaeger.example/ {trace_id}",
        "https://jäger.example/{trace_id}",
        "https://jaeger.example/\u{202e}{trace_id}",
        "https://jaeger.example\\/{trace_id}",
    ] {
        assert!(refusal("HEADCOUNT_TRACE_URL", unsound).contains("{trace_id}"), "{unsound}");
        let error = chosen(unsound).unwrap_err();
        assert!(error.is_setting() && error.to_string().starts_with("trace_url="), "{error}");
    }
    assert!(chosen("https://jaeger.example/{trace_id}").is_ok());
}

#[test]
fn an_empty_variable_is_as_none() {
    let empty: Vec<_> = TABLE.iter().map(|row| (row.variable, " ")).collect();
    let (settings, taken) = take(&empty).unwrap();
    assert!(taken.differences.is_empty() && taken.unknown.is_empty());
    assert!(settings.chosen.is_empty(), "{settings:?}");
}

#[test]
fn the_longest_duration_is_a_duration() {
    let mut settings = crate::Headcount::builder().drain_timeout(Duration::MAX).settings;
    settings.take_variables(std::iter::empty()).unwrap();
    assert_eq!(settings.exit_after, None);
}

#[test]
fn a_token_file_is_read_within_bounds() {
    let path = std::env::temp_dir().join(format!("headcount-token-{}", std::process::id()));
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let mut settings = crate::Headcount::builder().token_file(&path).settings;
        settings.read_token().map(|()| settings.token.unwrap().0)
    };
    assert_eq!(read(b" swordfish\n").unwrap(), "swordfish");
    let long = read(&vec![b'x'; 5_000]).unwrap_err();
    assert!(long.is_file() && long.to_string().contains("token_file") && long.to_string().contains("4096"));
    std::fs::remove_file(&path).unwrap();
    let mut endless = crate::Headcount::builder().token_file("/dev/zero").settings;
    assert!(endless.read_token().unwrap_err().is_file());
}

#[test]
fn a_token_is_what_a_header_can_hold() {
    let given = |token: &str| {
        let mut settings = crate::Headcount::builder().token(token).settings;
        settings.read_token().map(|()| settings.token.unwrap().0)
    };
    assert_eq!(given(" swordfish\n").unwrap(), "swordfish");
    for empty in ["", " \n"] {
        assert!(given(empty).unwrap_err().to_string().contains("token"));
    }
}

/// The operator replaces a token that is known to too many.
#[test]
fn a_variable_with_the_token_wins_over_a_file_that_the_code_names() {
    let path = std::env::temp_dir().join(format!("headcount-token-of-code-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let token = |variables: &[(&str, &str)]| {
        let mut settings = crate::Headcount::builder().token_file(&path).settings;
        let owned = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        settings.take_variables(owned).unwrap();
        settings.read_token().unwrap();
        settings.token.unwrap().0
    };
    assert_eq!(token(&[]), "old");
    assert_eq!(token(&[("HEADCOUNT_TOKEN", "new")]), "new");
    let file = path.to_str().unwrap().to_owned();
    assert_eq!(token(&[("HEADCOUNT_TOKEN", "new"), ("HEADCOUNT_TOKEN_FILE", &file)]), "old");
    std::fs::remove_file(&path).unwrap();
}
