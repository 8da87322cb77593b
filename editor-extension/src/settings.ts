/** The user's settings in the shape the server reads; one function, so that the server never sees two shapes. */
import * as vscode from "vscode";
import type { Figure, OnSave, PathMapping, Settings, Severity, Units } from "./protocol";

export const SECTION = "heaphint";

/** The settings as they are now. */
export function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return {
    python: configuration.get<string | null>("python")?.trim() || null,
    inlayHints: {
      enabled: configuration.get<boolean>("inlayHints.enabled", true),
      figure: configuration.get<Figure>("inlayHints.figure", "peak"),
      selfOnly: configuration.get<boolean>("inlayHints.selfOnly", false),
      minimumBytes: configuration.get<number>("inlayHints.minimumBytes", 1024 * 1024),
    },
    units: configuration.get<Units>("units", "iec"),
    profileOnSave: configuration.get<OnSave>("profileOnSave", "never"),
    keepSessions: configuration.get<number>("keepSessions", 20),
    pathMappings: configuration.get<PathMapping[]>("pathMappings", []),
    limits: { severity: configuration.get<Severity>("limits.severity", "warning") },
    run: {
      follow: configuration.get<boolean | null>("run.follow", null),
      record: configuration.get<boolean | null>("run.record", null),
      native: configuration.get<boolean | null>("run.native", null),
      sample: configuration.get<string | null>("run.sample", null)?.trim() || null,
      tracePythonAllocators: configuration.get<boolean | null>("run.tracePythonAllocators", null),
    },
  };
}
