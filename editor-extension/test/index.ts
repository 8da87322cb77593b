/** VS Code's test runner calls `run` in the extension host. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import Mocha from "mocha";

/** The console is also VS Code's own; whoever reads it knows the tests' lines by this. */
const MARK = "test: ";

export function run(): Promise<void> {
  const mocha = new Mocha({ ui: "bdd", timeout: 60_000, reporter: Lines });
  for (const file of readdirSync(__dirname)) {
    if (file.endsWith(".test.js")) {
      mocha.addFile(join(__dirname, file));
    }
  }
  return new Promise((resolve, reject) => {
    const runner = mocha.run((failures) => {
      const passed = runner.stats?.passes ?? 0;
      console.log(`${MARK}${passed} passed, ${failures} failed`);
      if (failures > 0 || passed === 0) {
        reject(new Error(`${failures} failed`));
      } else {
        resolve();
      }
    });
  });
}

/** One line for each test, and what went wrong below it. */
class Lines extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.on(Mocha.Runner.constants.EVENT_TEST_PASS, (test) => console.log(`${MARK}ok   ${test.fullTitle()}`));
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test, error: Error) =>
      console.log(`${MARK}FAIL ${test.fullTitle()}\n${error.stack ?? error.message}`),
    );
  }
}
