//! Builds the tracer library and hands its bytes to the program, which carries it inside itself.
//!
//! The program must never link the tracer crate: it would have its own `malloc` replaced. So the library is built
//! by a cargo of its own, into a target folder of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let workspace = manifest.parent().expect("the package lies in the workspace's folder").to_owned();
    let target_folder = Path::new(&variable("OUT_DIR")).join("tracer-target");
    for source in ["tracer", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }

    let mut command = Command::new(variable("CARGO"));
    command.current_dir(&workspace);
    for (name, _) in env::vars_os() {
        // What cargo and clippy set for this build would change that one: its flags, its profile, its compiler.
        let name_text = name.to_string_lossy();
        if (name_text.starts_with("CARGO") && name_text != "CARGO_HOME")
            || name_text == "RUSTC_WORKSPACE_WRAPPER"
        {
            command.env_remove(name);
        }
    }
    command.args(["build", "--quiet", "--package", "heaphint-tracer", "--profile", "tracer", "--target-dir"]);
    command.arg(&target_folder);
    let mut library = target_folder.clone();
    let (host, target) = (variable("HOST"), variable("TARGET"));
    if host != target {
        command.args(["--target", &target]);
        library.push(&target);
    }
    library.push("tracer/libheaphint_tracer.so");

    let status = command.status().unwrap_or_else(|error| panic!("cargo cannot be started: {error}"));
    assert!(status.success(), "the tracer library could not be built: see the messages above");
    println!("cargo::rustc-env=HEAPHINT_TRACER_LIBRARY={}", library.display());
    // Here, so that it need not be done in every run.
    let bytes = std::fs::read(&library).expect("the tracer library was just built");
    let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=HEAPHINT_TRACER_HASH={hash}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
