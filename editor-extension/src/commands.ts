/** What a person can ask for: runs, which figures are shown, sessions. The server does it; nothing here knows figures. */
import * as vscode from "vscode";
import { ExecuteCommandRequest, type LanguageClient } from "vscode-languageclient/node";
import {
  CANCEL_COMMAND,
  CHOICES_COMMAND,
  type Choices,
  CLEAR_COMMAND,
  COMPARE_COMMAND,
  DELETE_SESSION_COMMAND,
  type Figure,
  NAME_SESSION_COMMAND,
  OPEN_SESSION_COMMAND,
  type ProfileParams,
  type ProfileWhat,
  REPORT_COMMAND,
  type RunFinished,
  SESSIONS_COMMAND,
  type SessionItem,
  type SessionList,
  type SessionParams,
  SHOW_COMMAND,
  type ShowParams,
} from "./protocol";
import type { Server } from "./server";

const RENAME: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("edit"), tooltip: "Name This Session" };
const DELETE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Delete This Session" };

/** Registers the commands that the extension contributes beside the server's own. */
export function registerCommands(server: Server): vscode.Disposable {
  const profile = (what: ProfileWhat) => () => profileWhat(server, what);
  const commands: Record<string, (...args: never[]) => unknown> = {
    profileMemory: (target?: vscode.Uri | ProfileParams) => profileMemory(server, target),
    profileModule: profile("module"),
    profileImport: profile("import"),
    profileTestFile: profile("testFile"),
    profileAllTests: profile("allTests"),
    profileAgain: profile("again"),
    profileConfiguration: () => profileConfiguration(server),
    cancelRuns: () => ask(server, CANCEL_COMMAND),
    clearAnnotations: () => ask(server, CLEAR_COMMAND),
    chooseFigures: () => chooseFigures(server),
    showSession: () => showSession(server),
    compareWithSession: () => compareWithSession(server),
    openCaptures: (files?: vscode.Uri[]) => openCaptures(server, files),
    openReport: () => ask(server, REPORT_COMMAND, project()),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(`heaphint.${name}`, run)),
  );
}

/**
 * @param target the file, as the menus give it; with arguments or a test, as a key binding may give it; the open file otherwise
 * @returns how the run ended; undefined when nothing was run, of which the user has been told
 */
async function profileMemory(server: Server, target?: vscode.Uri | ProfileParams): Promise<RunFinished | undefined> {
  if (target !== undefined && !(target instanceof vscode.Uri)) {
    return profile(server, target);
  }
  const document = vscode.window.activeTextEditor?.document;
  const uri = target ?? (document?.languageId === "python" ? document.uri : undefined);
  if (uri?.scheme !== "file" && uri?.scheme !== "untitled") {
    void vscode.window.showWarningMessage("Open a Python file of this machine to profile its memory.");
    return undefined;
  }
  return profile(server, { uri: uri.toString() });
}

async function profileWhat(server: Server, what: ProfileWhat): Promise<RunFinished | undefined> {
  const { uri } = project();
  if (uri === undefined) {
    void vscode.window.showWarningMessage("Open a file or a folder of this machine to profile something of it.");
    return undefined;
  }
  return profile(server, { uri, what });
}

async function profileConfiguration(server: Server): Promise<RunFinished | undefined> {
  const { uri } = project();
  const choices = await ask<Choices>(server, CHOICES_COMMAND, project());
  if (choices === undefined || uri === undefined) {
    return undefined;
  }
  if (choices.configurations.length === 0) {
    void vscode.window.showInformationMessage(
      "This project has no run configurations. Write one into pyproject.toml: [tool.heaphint.run.NAME]",
    );
    return undefined;
  }
  const name = await vscode.window.showQuickPick(choices.configurations, { title: "Profile Memory of…" });
  return name === undefined ? undefined : profile(server, { uri, what: "configuration", name });
}

async function profile(server: Server, params: ProfileParams): Promise<RunFinished | undefined> {
  const connection = await server.connection();
  return connection?.runs.profile(params);
}

interface FigureItem extends vscode.QuickPickItem {
  choice: ShowParams;
}

const FIGURES: readonly [Figure, string][] = [
  ["peak", "What a line held when the whole program held most."],
  ["max", "The most a line held at any one moment."],
  ["allocated", "Everything a line ever allocated."],
  ["leaked", "What a line still held when the program ended."],
  ["temporary", "What a line allocated and freed again at once."],
];

/** Each pick is shown at once; the list stays until it is closed, so that figures can be compared by eye. */
async function chooseFigures(server: Server): Promise<void> {
  const first = await ask<Choices>(server, CHOICES_COMMAND, project());
  if (first === undefined) {
    return;
  }
  const picker = vscode.window.createQuickPick<FigureItem>();
  picker.title = "Which Figures?";
  picker.placeholder = "Shown at once, without another run";
  picker.matchOnDescription = true;
  picker.items = figureItems(first);
  picker.onDidAccept(async () => {
    const [item] = picker.selectedItems;
    if (item !== undefined) {
      await ask(server, SHOW_COMMAND, item.choice);
      const now = await ask<Choices>(server, CHOICES_COMMAND, project());
      picker.items = now === undefined ? [] : figureItems(now);
    }
  });
  picker.onDidHide(() => picker.dispose());
  picker.show();
}

function figureItems(now: Choices): FigureItem[] {
  const current: ShowParams = {
    figure: now.figure,
    selfOnly: now.selfOnly,
    process: now.process ?? undefined,
    thread: now.thread ?? undefined,
  };
  const item = (label: string, description: string, chosen: boolean, change: ShowParams): FigureItem => ({
    label: `${chosen ? "$(check)" : "$(blank)"} ${label}`,
    description,
    choice: { ...current, ...change },
  });
  const heading = (label: string): FigureItem => ({ label, kind: vscode.QuickPickItemKind.Separator, choice: {} });
  const everything = now.process === null && now.thread === null;
  return [
    heading("figure"),
    ...FIGURES.map(([figure, meaning]) => item(figure, meaning, figure === now.figure, { figure })),
    heading("of a line"),
    item("total", "With what the line called.", !now.selfOnly, { selfOnly: false }),
    item("self", "Only where the line itself allocates.", now.selfOnly, { selfOnly: true }),
    heading("of the run"),
    item("everything", "All processes and threads.", everything, { process: undefined, thread: undefined }),
    ...now.processes.map(({ pid, peak }) =>
      item(`process ${pid}`, `${peak} peak`, now.process === pid, { process: pid, thread: undefined }),
    ),
    ...now.threads.map((thread) => item(`thread ${thread}`, "", now.thread === thread, { process: undefined, thread })),
  ];
}

interface SessionPick extends vscode.QuickPickItem {
  session?: string;
}

async function showSession(server: Server): Promise<void> {
  const picked = await pickSession(server, "Show Session", []);
  if (picked?.session !== undefined) {
    await ask(server, OPEN_SESSION_COMMAND, { ...project(), session: picked.session });
  }
}

async function compareWithSession(server: Server): Promise<void> {
  const nothing: SessionPick = { label: "$(circle-slash) Nothing", description: "Figures stand alone again." };
  const picked = await pickSession(server, "Compare With Session", [nothing]);
  if (picked !== undefined) {
    await ask(server, COMPARE_COMMAND, { ...project(), session: picked.session });
  }
}

/** A session of the project; its list can name and delete them, too. */
async function pickSession(server: Server, title: string, first: SessionPick[]): Promise<SessionPick | undefined> {
  const items = async (): Promise<SessionPick[]> => {
    const list = await ask<SessionList>(server, SESSIONS_COMMAND, project());
    return [...first, ...(list?.sessions ?? []).map(sessionPick)];
  };
  const picker = vscode.window.createQuickPick<SessionPick>();
  picker.title = title;
  picker.placeholder = "Sessions of this project, the newest first";
  picker.matchOnDescription = true;
  picker.matchOnDetail = true;
  picker.items = await items();
  let naming = false;
  picker.onDidTriggerItemButton(async ({ button, item }) => {
    const params: SessionParams = { ...project(), session: item.session };
    if (button === DELETE) {
      await ask(server, DELETE_SESSION_COMMAND, params);
    } else {
      naming = true;
      const name = await vscode.window.showInputBox({ title: "Name of the Session", prompt: "Empty takes it away" });
      naming = false;
      if (name !== undefined) {
        await ask(server, NAME_SESSION_COMMAND, { ...params, name });
      }
    }
    picker.items = await items();
    picker.show();
  });
  return new Promise((resolve) => {
    const close = (picked?: SessionPick) => {
      resolve(picked);
      picker.dispose();
    };
    picker.onDidAccept(() => close(picker.selectedItems[0]));
    // The input for a name takes the list's place for a moment.
    picker.onDidHide(() => {
      if (!naming) {
        close();
      }
    });
    picker.show();
  });
}

function sessionPick(item: SessionItem): SessionPick {
  const marks = [item.shown ? "shown" : "", item.baseline ? "compared with" : "", item.running ? "running" : ""];
  const processes = item.processes > 1 ? ` in ${item.processes} processes` : "";
  const failed = item.exitCode !== null && item.exitCode !== 0 ? `, exit code ${item.exitCode}` : "";
  return {
    label: `${item.running ? "$(sync~spin)" : "$(pulse)"} ${item.name ?? item.title}`,
    description: marks.filter((mark) => mark !== "").join(", "),
    detail: `${new Date(item.startedMs).toLocaleString()} · ${item.title} · ${item.peak} peak${processes}${failed}`,
    buttons: [RENAME, DELETE],
    session: item.session,
  };
}

async function openCaptures(server: Server, files?: vscode.Uri[]): Promise<void> {
  const captures =
    files ??
    (await vscode.window.showOpenDialog({
      title: "Open Captures",
      canSelectMany: true,
      filters: { Captures: ["heaphint", "bin"], "All files": ["*"] },
    }));
  if (captures !== undefined && captures.length > 0) {
    await ask(server, OPEN_SESSION_COMMAND, { ...project(), captures: captures.map(String) });
  }
}

/** The file that is open, else the first folder: what says which project is meant. */
function project(): { uri?: string } {
  const open = vscode.window.activeTextEditor?.document.uri;
  const folder = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === "file")?.uri;
  const uri = open?.scheme === "file" ? open : folder;
  return uri === undefined ? {} : { uri: uri.toString() };
}

/** @returns the server's answer; undefined when there is none, of which the user has been told */
async function ask<T>(server: Server, command: string, argument?: object): Promise<T | undefined> {
  const connection = await server.connection();
  return connection === undefined ? undefined : request<T>(connection.client, command, argument);
}

async function request<T>(client: LanguageClient, command: string, argument?: object): Promise<T | undefined> {
  try {
    const params = { command, arguments: argument === undefined ? [] : [argument] };
    return (await client.sendRequest(ExecuteCommandRequest.type, params)) as T;
  } catch (error) {
    void vscode.window.showErrorMessage(`Heaphint: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
