//! Every planted bug still applies: its line stands in its file exactly once. `tests/planted.sh` plants them and demands that
//! the simulation catches each.

use std::fs;
use std::path::Path;

#[test]
fn every_planted_bug_applies_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |bug: &toml::Table, key: &str| bug[key].as_str().unwrap().to_owned();
    let mut count = 0;
    for entry in fs::read_dir(root.join("tests/planted")).unwrap() {
        let path = entry.unwrap().path();
        let bug: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let source = fs::read_to_string(root.join(text(&bug, "file"))).unwrap();
        assert_eq!(source.matches(&text(&bug, "line")).count(), 1, "{}", path.display());
        assert_ne!(text(&bug, "line"), text(&bug, "replacement"), "{}", path.display());
        count += 1;
    }
    assert!(count >= 15, "{count} planted bugs");
}
