//! Names of source files, made absolute without asking the file system.

/// The file a code object names, as an absolute path without `.` and `..`: `file` below `directory`, or `file`
/// itself when it is absolute or when nobody knows the directory. What is no file (`<string>`, `<frozen importlib._bootstrap>`) keeps its name.
#[must_use]
pub fn absolute(file: &str, directory: &str) -> String {
    let no_file = file.starts_with('<') && file.ends_with('>');
    if file.is_empty() || no_file || (directory.is_empty() && !file.starts_with('/')) {
        return file.to_owned();
    }
    let joined = if file.starts_with('/') { file.to_owned() } else { format!("{directory}/{file}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `path` relative to the folder `root`, when it lies below it. Nothing lies below no root.
pub(crate) fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    if root.is_empty() {
        return None;
    }
    let rest = path.strip_prefix(root.trim_end_matches('/'))?;
    rest.strip_prefix('/').filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute() {
        assert_eq!(absolute("app.py", "/home/me"), "/home/me/app.py");
        assert_eq!(absolute("./a/../b/app.py", "/home/me"), "/home/me/b/app.py");
        assert_eq!(absolute("/x/./y/../../z.py", "/home"), "/z.py");
        assert_eq!(absolute("../../../../z.py", "/home"), "/z.py");
        assert_eq!(absolute("<string>", "/home"), "<string>");
        assert_eq!(absolute("", "/home"), "");
        assert_eq!(absolute("app.py", ""), "app.py");
        assert_eq!(absolute("/x/../app.py", ""), "/app.py");
    }

    #[test]
    fn below_keeps_to_whole_components() {
        assert_eq!(below("/a/b/c.py", "/a"), Some("b/c.py"));
        assert_eq!(below("/a/b/c.py", "/a/"), Some("b/c.py"));
        assert_eq!(below("/ab/c.py", "/a"), None);
        assert_eq!(below("/a.py", "/"), Some("a.py"));
        assert_eq!(below("/a.py", ""), None);
    }
}
