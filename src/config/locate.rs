//! Where the configuration is looked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The name in the current folder, which `payjournal init` writes.
pub const FILE_NAME: &str = "payjournal.toml";

/// The environment variable that names the file.
pub const VARIABLE: &str = "PAYJOURNAL_CONFIG";

/// The file to load: the one that is named, or the first that exists. A named one is returned whether it exists or not:
/// falling back to another ledger than the one asked for would be worse than stopping.
pub fn locate(explicit: Option<&Path>, env: &dyn Fn(&str) -> Option<OsString>, cwd: &Path) -> Result<PathBuf, Failure> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = explicit.map(Path::to_owned).or_else(|| set(VARIABLE)) {
        return Ok(path);
    }
    // The XDG specification says to ignore a relative folder.
    let user_folder = set("XDG_CONFIG_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".config")));
    let places: Vec<PathBuf> = [Some(cwd.join(FILE_NAME))]
        .into_iter()
        .chain([user_folder.map(|folder| folder.join("payjournal/config.toml"))])
        .flatten()
        .chain([PathBuf::from("/etc/payjournal/config.toml")])
        .collect();
    places.iter().find(|path| path.exists()).cloned().ok_or_else(|| nowhere(&places))
}

fn nowhere(places: &[PathBuf]) -> Failure {
    let mut looked: Vec<String> = places.iter().map(|path| format!("`{}`", path.display())).collect();
    looked.insert(0, format!("`--config` and `{VARIABLE}`, which name none"));
    Failure::config(format!("no configuration found; looked at {}", looked.join(", ")))
        .hint(format!("`payjournal init` writes `{FILE_NAME}` to start from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_file_goes_before_the_first_that_exists() {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, home) = (folder.path().join("cwd"), folder.path().join("home"));
        for made in [&cwd, &home.join(".config/payjournal"), &home.join("xdg/payjournal")] {
            std::fs::create_dir_all(made).unwrap();
        }
        let find = |explicit: Option<&str>, variables: &[(&str, &str)]| {
            let env = |name: &str| {
                let value = variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| *value);
                value.map(OsString::from).or_else(|| (name == "HOME").then(|| home.clone().into()))
            };
            locate(explicit.map(Path::new), &env, &cwd)
        };
        let in_home = home.join(".config/payjournal/config.toml");
        std::fs::write(&in_home, "").unwrap();
        assert_eq!(find(None, &[]).unwrap(), in_home);

        let xdg = home.join("xdg");
        std::fs::write(xdg.join("payjournal/config.toml"), "").unwrap();
        let xdg_variable = [("XDG_CONFIG_HOME", xdg.to_str().unwrap())];
        assert_eq!(find(None, &xdg_variable).unwrap(), xdg.join("payjournal/config.toml"));
        assert_eq!(find(None, &[("XDG_CONFIG_HOME", "relative")]).unwrap(), in_home);

        std::fs::write(cwd.join(FILE_NAME), "").unwrap();
        assert_eq!(find(None, &xdg_variable).unwrap(), cwd.join(FILE_NAME));
        assert_eq!(find(None, &[(VARIABLE, "/x.toml")]).unwrap(), Path::new("/x.toml"));
        assert_eq!(find(None, &[(VARIABLE, "")]).unwrap(), cwd.join(FILE_NAME));
        assert_eq!(find(Some("/y.toml"), &[(VARIABLE, "/x.toml")]).unwrap(), Path::new("/y.toml"));
    }

    #[test]
    fn where_nothing_is_found_every_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let failure = locate(None, &|name| (name == "HOME").then(|| "/home/none".into()), folder.path()).unwrap_err();
        let message = failure.line();
        for place in ["--config", VARIABLE, FILE_NAME, "/home/none/.config/payjournal/config.toml", "/etc/payjournal"] {
            assert!(message.contains(place), "{message}");
        }
        assert!(failure.hints.iter().any(|hint| hint.contains("payjournal init")));
    }
}
