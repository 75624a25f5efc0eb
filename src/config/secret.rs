//! Secrets: where they come from, never what they are. The content is read when it is needed and shown nowhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use toml::de::DeValue;

use super::toml_text::TomlText;

/// The source of one secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Env {
        name: String,
    },
    /// Absolute, or relative to the process's folder if the configuration's was.
    File {
        path: PathBuf,
    },
    /// Runs in the configuration's folder; all it prints is the secret.
    Command {
        program: String,
        arguments: Vec<String>,
        folder: PathBuf,
    },
}

const HOW_TO_WRITE: &str =
    r#"write { env = "NAME" }, { file = "path" } or { command = ["program", "argument"] } in its place"#;

impl Secret {
    /// Reads the source as typed. The problem it returns never holds any part of the value: a person who pastes a key
    /// into the wrong place must not find it in a log.
    pub(super) fn from_toml(value: &DeValue<'_>, folder: &Path) -> Result<Self, String> {
        if value.is_str() {
            return Err(format!("a secret is never written out in this file; {HOW_TO_WRITE}"));
        }
        let unreadable = || format!("this is not the source of a secret; {HOW_TO_WRITE}");
        let table = value.as_table().ok_or_else(unreadable)?;
        let mut entries = table.iter();
        let (Some((key, content)), None) = (entries.next(), entries.next()) else {
            return Err(format!("a secret has exactly one source; {HOW_TO_WRITE}"));
        };
        let source = match (key.get_ref().as_ref(), content.get_ref()) {
            ("env", DeValue::String(name)) => env_source(name)?,
            ("file", DeValue::String(path)) if !path.is_empty() => Source::File { path: folder.join(path.as_ref()) },
            ("command", DeValue::Array(words)) => {
                let words: Option<Vec<String>> =
                    words.iter().map(|word| word.get_ref().as_str().map(str::to_owned)).collect();
                command_source(&words.ok_or_else(unreadable)?, folder).ok_or_else(unreadable)?
            }
            _ => return Err(unreadable()),
        };
        Ok(Self(source))
    }

    /// Reads the content. No error holds it, nor anything a command printed.
    pub fn read(&self) -> anyhow::Result<SecretString> {
        let content = Zeroizing::new(match &self.0 {
            Source::Env { name } => from_env(name)?,
            Source::File { path } => std::fs::read_to_string(path)
                .with_context(|| format!("failed to read the secret from `{}`", path.display()))?,
            Source::Command { program, arguments, folder } => from_command(program, arguments, folder)?,
        });
        let secret =
            content.strip_suffix('\n').map_or(content.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if secret.is_empty() {
            bail!("the secret from {self:?} is empty");
        }
        Ok(SecretString::from(secret))
    }
}

/// Capitals only: the name is shown in messages, and a key pasted here by mistake is hardly ever all capitals.
fn env_source(name: &str) -> Result<Source, String> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if is_name {
        Ok(Source::Env { name: name.to_owned() })
    } else {
        Err("`env` takes the name of an environment variable in capital letters, digits and `_`, \
             such as { env = \"PSP_API_KEY\" }"
            .to_owned())
    }
}

fn command_source(words: &[String], folder: &Path) -> Option<Source> {
    let (program, arguments) = words.split_first()?;
    if program.is_empty() {
        return None;
    }
    // A bare name is looked up in PATH; `./script` means the configuration's folder, whatever folder cron starts in.
    let program = if program.contains('/') { folder.join(program).display().to_string() } else { program.clone() };
    Some(Source::Command { program, arguments: arguments.to_vec(), folder: folder.to_owned() })
}

#[expect(clippy::disallowed_methods, reason = "a secret's source may be the environment")]
fn from_env(name: &str) -> anyhow::Result<String> {
    match std::env::var(name) {
        Ok(content) => Ok(content),
        Err(std::env::VarError::NotPresent) => bail!("the environment variable `{name}` is not set"),
        // The error itself would print the content.
        Err(std::env::VarError::NotUnicode(_)) => bail!("the environment variable `{name}` is not UTF-8"),
    }
}

fn from_command(program: &str, arguments: &[String], folder: &Path) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("failed to run `{program}` for a secret"))?;
    if !output.status.success() {
        bail!("`{program}` gave no secret: {}", output.status);
    }
    // The error would carry the bytes, so it is dropped.
    String::from_utf8(output.stdout).map_err(|_| anyhow::anyhow!("the secret that `{program}` printed is not UTF-8"))
}

impl TomlText for Secret {
    fn toml_text(&self) -> String {
        match &self.0 {
            Source::Env { name } => format!("{{ env = {} }}", name.toml_text()),
            Source::File { path } => format!("{{ file = {} }}", path.toml_text()),
            // Arguments may themselves be worth hiding.
            Source::Command { program, arguments, folder: _ } if arguments.is_empty() => {
                format!("{{ command = [{}] }}", program.toml_text())
            }
            Source::Command { program, .. } => format!("{{ command = [{}, \"...\"] }}", program.toml_text()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.toml_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    const PLANTED: &str = "sk_live_PLANTED";

    fn parse(toml: &str) -> Result<Secret, String> {
        let value = DeValue::parse(toml).unwrap();
        Secret::from_toml(value.get_ref(), Path::new("/nowhere"))
    }

    #[test]
    fn a_secret_written_out_is_refused_without_repeating_it() {
        for typed in [
            format!("\"{PLANTED}\""),
            format!("{{ key = \"{PLANTED}\" }}"),
            format!("{{ env = \"{PLANTED}\" }}"),
            format!("{{ env = [\"{PLANTED}\"] }}"),
            format!("{{ env = \"A\", file = \"{PLANTED}\" }}"),
            format!("[\"{PLANTED}\"]"),
            format!("{{ command = \"{PLANTED}\" }}"),
            "{ command = [] }".to_owned(),
            "{}".to_owned(),
            "5".to_owned(),
        ] {
            let problem = parse(&typed).unwrap_err();
            assert!(!problem.contains(PLANTED), "{problem}");
            assert!(problem.contains("{ env = "), "{problem}");
        }
    }

    #[test]
    fn only_the_source_is_ever_shown() {
        assert_eq!(format!("{:?}", parse("{ env = 'PSP_KEY' }").unwrap()), r#"{ env = "PSP_KEY" }"#);
        assert_eq!(format!("{:?}", parse("{ file = 'key' }").unwrap()), r#"{ file = "/nowhere/key" }"#);
        let command = parse(&format!("{{ command = ['echo', '{PLANTED}'] }}")).unwrap();
        assert_eq!(format!("{command:?}"), r#"{ command = ["echo", "..."] }"#);
    }

    #[test]
    fn a_file_gives_its_content_without_the_last_line_end() {
        let folder = tempfile::tempdir().unwrap();
        for (content, secret) in [("s\n", "s"), ("s\r\n", "s"), ("s", "s"), ("s\n\n", "s\n"), (" s ", " s ")] {
            std::fs::write(folder.path().join("key"), content).unwrap();
            let value = DeValue::parse("{ file = 'key' }").unwrap();
            let read = Secret::from_toml(value.get_ref(), folder.path()).unwrap().read().unwrap();
            assert_eq!(read.expose_secret(), secret);
        }
    }

    #[test]
    fn a_command_gives_what_it_prints_and_its_failure_hides_it() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |script: &str| {
            let toml = format!("{{ command = ['sh', '-c', '{script}'] }}");
            Secret::from_toml(DeValue::parse(&toml).unwrap().get_ref(), folder.path()).unwrap()
        };
        assert_eq!(secret("echo found").read().unwrap().expose_secret(), "found");
        for script in
            ["echo sk_live_PLANTED; echo sk_live_PLANTED >&2; exit 3", "printf \"sk_live_PLANTED\\377\"", "true"]
        {
            let error = format!("{:?}", secret(script).read().unwrap_err());
            assert!(!error.contains(PLANTED), "{error}");
        }
    }

    #[test]
    fn a_source_that_is_missing_is_named() {
        let error = |toml: &str| format!("{:#}", parse(toml).unwrap().read().unwrap_err());
        assert!(error("{ env = 'PAYJOURNAL_SURELY_NOT_SET' }").contains("`PAYJOURNAL_SURELY_NOT_SET` is not set"));
        assert!(error("{ file = 'key' }").contains("`/nowhere/key`"));
    }
}
