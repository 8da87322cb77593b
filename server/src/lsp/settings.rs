//! Reads settings as editors send them: part by part, so that one mistake does not undo the rest.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ext::Settings;
use crate::launch::modes::parse_sample;

/// Settings from `value`, and one sentence for each part that cannot be understood and keeps its default.
///
/// `value` is the section `heaphint`; null and missing parts are defaults.
pub fn read(value: &Value) -> (Settings, Vec<String>) {
    let mut settings = Settings::default();
    let mut problems = Vec::new();
    let hints = &value["inlayHints"];
    part(&value["python"], "python", "a path or null", &mut settings.python, &mut problems);
    part(&value["units"], "units", "\"iec\" or \"si\"", &mut settings.units, &mut problems);
    let on_save = "\"never\", \"again\" or \"file\"";
    part(&value["profileOnSave"], "profileOnSave", on_save, &mut settings.profile_on_save, &mut problems);
    let number = "a whole number of sessions";
    part(&value["keepSessions"], "keepSessions", number, &mut settings.keep_sessions, &mut problems);
    let mappings = "a list of {\"from\": PATH, \"to\": PATH}";
    part(&value["pathMappings"], "pathMappings", mappings, &mut settings.path_mappings, &mut problems);
    let severities = "\"error\", \"warning\", \"information\" or \"hint\"";
    let severity = &value["limits"]["severity"];
    part(severity, "limits.severity", severities, &mut settings.limits.severity, &mut problems);
    let (run, to) = (&value["run"], &mut settings.run);
    let choice = "true, false or null";
    part(&run["follow"], "run.follow", choice, &mut to.follow, &mut problems);
    part(&run["record"], "run.record", choice, &mut to.record, &mut problems);
    part(&run["native"], "run.native", choice, &mut to.native, &mut problems);
    let python_allocators = &run["tracePythonAllocators"];
    let name = "run.tracePythonAllocators";
    part(python_allocators, name, choice, &mut to.trace_python_allocators, &mut problems);
    part(&run["sample"], "run.sample", "a size such as \"512 KiB\", or null", &mut to.sample, &mut problems);
    to.sample = to.sample.take().filter(|sample| !sample.trim().is_empty());
    if let Some(Err(why)) = to.sample.as_deref().map(parse_sample) {
        problems.push(format!("The setting heaphint.run.sample is wrong: {why}."));
        to.sample = None;
    }
    let to = &mut settings.inlay_hints;
    part(&hints["selfOnly"], "inlayHints.selfOnly", "true or false", &mut to.self_only, &mut problems);
    part(&hints["enabled"], "inlayHints.enabled", "true or false", &mut to.enabled, &mut problems);
    let figures = "\"peak\", \"max\", \"allocated\", \"leaked\" or \"temporary\"";
    part(&hints["figure"], "inlayHints.figure", figures, &mut to.figure, &mut problems);
    let bytes = "a whole number of bytes";
    part(&hints["minimumBytes"], "inlayHints.minimumBytes", bytes, &mut to.minimum_bytes, &mut problems);
    // An empty path is how editors with text fields say "none".
    settings.python = settings.python.filter(|python| !python.trim().is_empty());
    (settings, problems)
}

fn part<T: DeserializeOwned>(
    value: &Value,
    name: &str,
    wanted: &str,
    to: &mut T,
    problems: &mut Vec<String>,
) {
    if value.is_null() {
        return;
    }
    match serde_json::from_value(value.clone()) {
        Ok(read) => *to = read,
        Err(_) => problems.push(format!("The setting heaphint.{name} must be {wanted}, but it is {value}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ext::{Figure, Units};
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_parts_keep_their_defaults() {
        let (settings, problems) = read(&json!({
            "units": "si",
            "inlayHints": {"figure": "biggest", "minimumBytes": 0},
            "unknown": 1
        }));
        assert_eq!(settings.units, Units::Si);
        assert_eq!(settings.inlay_hints.minimum_bytes, 0);
        assert_eq!(settings.inlay_hints.figure, Figure::Peak);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("heaphint.inlayHints.figure"), "{problems:?}");
        assert_eq!(read(&Value::Null), (Settings::default(), vec![]));
    }

    #[test]
    fn what_runs_record_is_read_name_by_name() {
        let run = json!({"record": true, "follow": false, "native": 1, "sample": "512 KiB"});
        let (settings, problems) = read(&json!({"run": run}));
        assert_eq!(settings.run.modes().words(), "record,sample=524288");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("heaphint.run.native"), "{problems:?}");
        for (sample, count) in [("0 B", 1), ("much", 1), ("", 0)] {
            let (settings, problems) = read(&json!({"run": {"sample": sample}}));
            assert_eq!((settings.run.sample, problems.len()), (None, count), "{sample}");
        }
    }
}
