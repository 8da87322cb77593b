/** The entry in the status bar: ready, running, or what went wrong. A click does the next sensible thing. */
import * as vscode from "vscode";

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("heaphint.status", vscode.StatusBarAlignment.Right, 90);
  private running = 0;
  private last: Ending | undefined;

  constructor() {
    this.item.name = "Heaphint";
  }

  /** The server answers. */
  ready(): void {
    this.last = undefined;
    this.show();
  }

  /** A run began. */
  begin(): void {
    this.running += 1;
    this.show();
  }

  /** A run ended; `message` is one sentence about it. */
  end(failed: boolean, message: string): void {
    this.running -= 1;
    this.last = { failed, message };
    this.show();
  }

  /** There is no server. */
  fail(message: string): void {
    this.last = { failed: true, message };
    this.show();
    this.item.backgroundColor = new vscode.ThemeColor("statusBarItem.errorBackground");
  }

  private show(): void {
    const { item, last } = this;
    item.backgroundColor = undefined;
    if (this.running > 0) {
      item.text = "$(sync~spin) Heaphint";
      item.tooltip = "Heaphint is profiling. Click to show the run.";
      item.command = "notifications.showList";
    } else if (last?.failed === true) {
      item.text = "$(error) Heaphint";
      item.tooltip = `${last.message}\nClick to show the log.`;
      item.command = "heaphint.showLog";
    } else {
      item.text = "$(pulse) Heaphint";
      item.tooltip = `${last === undefined ? "" : `${last.message}\n`}Click to profile the memory of the open Python file.`;
      item.command = "heaphint.profileMemory";
    }
    item.show();
  }

  dispose(): void {
    this.item.dispose();
  }
}

interface Ending {
  failed: boolean;
  message: string;
}
