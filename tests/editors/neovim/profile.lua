-- Neovim's own LSP client against `heaphint server`, configured as server/EDITORS.md says: lens, run with progress, hint, hover,
-- diagnostic, edit, figures that grow, cancel, comparison, exit.
-- Started by tests/editors/run.sh with $HEAPHINT and $WORKSPACE; ends with 1 when a check failed.
local workspace = vim.env.WORKSPACE
local passed, failed = 0, 0

local function check(name, ok, seen)
  if ok then
    passed = passed + 1
    io.write("ok   ", name, "\n")
  else
    failed = failed + 1
    io.write("FAIL ", name, "\n     ", (vim.inspect(seen):gsub("%s+", " ")), "\n")
  end
end

local function wait(condition)
  return vim.wait(20000, condition, 20)
end

local progress, finished = {}, {}
vim.api.nvim_create_autocmd("LspProgress", {
  callback = function(event)
    table.insert(progress, event.data.params.value)
  end,
})
vim.lsp.handlers["heaphint/runFinished"] = function(_, result)
  table.insert(finished, result)
end

-- The documented configuration finds the program under test on the search path.
vim.env.PATH = vim.fs.dirname(vim.env.HEAPHINT) .. ":" .. vim.env.PATH
local documentation = table.concat(vim.fn.readfile(vim.env.EDITORS_MD), "\n")
assert(loadstring(documentation:match("%-%- begin: neovim\n(.-)%-%- end: neovim")))()

vim.cmd("filetype on")
vim.o.columns, vim.o.lines = 120, 40
vim.cmd.edit(workspace .. "/app.py")
local buffer = vim.api.nvim_get_current_buf()
local client
check("the server answers", wait(function()
  client = vim.lsp.get_clients({ name = "heaphint" })[1]
  return client ~= nil and client.initialized
end))
local id = client.id

local function line_of(text)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    if line:find(text, 1, true) then
      return number - 1
    end
  end
end

-- Hints are asked for when a window is drawn, which a headless run does only when told.
local function hint_at(line)
  vim.cmd("redraw!")
  for _, item in ipairs(vim.lsp.inlay_hint.get({ bufnr = buffer })) do
    if item.inlay_hint.position.line == line then
      local label = item.inlay_hint.label
      return type(label) == "string" and label or vim.iter(label):map(function(part)
        return part.value
      end):join("")
    end
  end
end

local held = "bytearray(48 *"
check("no hint before a run", hint_at(line_of(held)) == nil)

vim.lsp.codelens.refresh({ bufnr = buffer })
check("a lens on the first line and on the main guard", wait(function()
  local lines = {}
  for _, lens in ipairs(vim.lsp.codelens.get(buffer)) do
    local line = lens.range.start.line
    lines[line] = lines[line] or (lens.command and lens.command.title)
  end
  return lines[0] == "Profile memory" and lines[line_of("__main__")] == "Profile memory"
end), vim.lsp.codelens.get(buffer))

vim.api.nvim_win_set_cursor(0, { line_of("__main__") + 1, 0 })
vim.lsp.codelens.run()
check("a run from the lens finishes", wait(function()
  return #finished == 1 and finished[1].outcome == "finished"
end), finished)
check("the run was told by progress", wait(function()
  return #progress > 1 and progress[1].kind == "begin" and progress[#progress].kind == "end"
end), progress)

check("the hint stands at the line", wait(function()
  return (hint_at(line_of(held)) or ""):find("48.0 MiB peak", 1, true) ~= nil
end), vim.lsp.inlay_hint.get({ bufnr = buffer }))

check("the diagnostic stands at the function", wait(function()
  local found = vim.diagnostic.get(buffer)[1]
  return found
    and found.lnum == line_of("def load")
    and found.severity == vim.diagnostic.severity.WARN
    and found.message:find("48.0 MiB", 1, true) ~= nil
end), vim.diagnostic.get(buffer))

local function hover_text()
  local answers = vim.lsp.buf_request_sync(buffer, "textDocument/hover", {
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    position = { line = line_of(held), character = 6 },
  }, 10000)
  local result = answers and answers[id] and answers[id].result
  return result and result.contents.value or ""
end
local text = hover_text()
check("the hover tells figures and stacks", text:find("48.0 MiB", 1, true) and text:find("load", 1, true) and true, text)
vim.api.nvim_win_set_cursor(0, { line_of(held) + 1, 6 })
vim.lsp.buf.hover()
check("the hover opens a window", wait(function()
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(window).relative ~= "" then
      local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
      return table.concat(lines, "\n"):find("48.0 MiB", 1, true) ~= nil
    end
  end
end))

vim.api.nvim_buf_set_lines(buffer, 0, 0, false, { "# one", "# two" })
check("the hint moves with its line", wait(function()
  return line_of(held) == 6 and (hint_at(6) or ""):find("48.0 MiB", 1, true) ~= nil
end), vim.lsp.inlay_hint.get({ bufnr = buffer }))
local before = hint_at(line_of(held))
local edited = line_of(held)
vim.api.nvim_buf_set_lines(buffer, edited, edited + 1, false, { "    rows = bytearray(48 * 1024 * 1024 + 1)" })
check("an edited line's figure is marked as old", wait(function()
  local label = hint_at(edited)
  return label ~= nil and label ~= before
end), { before, hint_at(edited) })
vim.api.nvim_buf_set_lines(buffer, edited, edited + 1, false, {})
check("a deleted line loses its figure", wait(function()
  return line_of(held) == nil and not (hint_at(edited) or ""):find("48.0 MiB peak", 1, true)
end), hint_at(edited))

vim.cmd.edit({ workspace .. "/slow.py", bang = true })
local slow = vim.api.nvim_get_current_buf()
vim.lsp.buf_attach_client(slow, id)
progress, finished = {}, {}
local answer = client.request_sync("workspace/executeCommand", {
  command = "heaphint.profile",
  arguments = { { uri = vim.uri_from_bufnr(slow) } },
  workDoneToken = "slow",
}, 10000, slow)
check("the command answers at once with the run", answer and answer.result and type(answer.result.run) == "string", answer)
check("progress tells what the program holds", wait(function()
  return vim.iter(progress):any(function(value)
    return (value.message or ""):match("%d+ s.*2%d%.%d MiB") ~= nil
  end)
end), progress)
client.notify("window/workDoneProgress/cancel", { token = "slow" })
check("a cancelled run ends", wait(function()
  return #finished == 1 and finished[1].outcome == "cancelled" and finished[1].run == answer.result.run
end), finished)

-- Figures that grow while the program runs, and that follow their lines meanwhile.
finished = {}
vim.cmd.edit({ workspace .. "/grows.py", bang = true })
buffer = vim.api.nvim_get_current_buf()
check("the second file has the server, too", wait(function()
  return vim.lsp.buf_is_attached(buffer, id)
end))
local function held_at(line)
  return tonumber((hint_at(line) or ""):match("^([%d.]+) MiB peak"))
end
local grows = line_of("return bytearray")
vim.cmd("Heaphint file")
check("figures appear while the program runs", wait(function()
  return held_at(grows) ~= nil
end), vim.lsp.inlay_hint.get({ bufnr = buffer }))
local first = held_at(grows)
check("they grow", wait(function()
  return (held_at(grows) or 0) > (first or 0)
end), { first, held_at(grows) })
vim.api.nvim_buf_set_lines(buffer, 0, 0, false, { "# one" })
check("they follow their lines", wait(function()
  return line_of("return bytearray") == grows + 1 and held_at(grows + 1) ~= nil
end), vim.lsp.inlay_hint.get({ bufnr = buffer }))
check("the program is still running", #finished == 0, finished)
vim.cmd("Heaphint cancel")
check("the command cancels the run", wait(function()
  return #finished == 1 and finished[1].outcome == "cancelled"
end), finished)

-- The difference to the run before.
finished = {}
vim.cmd.edit({ workspace .. "/app.py", bang = true })
vim.cmd("edit!")
buffer = vim.api.nvim_get_current_buf()
local function profile_app()
  local before = #finished
  vim.cmd("Heaphint file")
  return wait(function()
    return #finished == before + 1 and finished[#finished].outcome == "finished"
  end)
end
check("a run to compare with", profile_app(), finished)
vim.ui.select = function(items, options, choose)
  check("sessions have names and figures", options.format_item(items[1]):find("app.py", 1, true) ~= nil, items[1])
  choose(items[1])
end
vim.cmd("Heaphint compare")
check("nothing has changed yet", wait(function()
  return (hint_at(line_of(held)) or ""):find("48.0 MiB = peak", 1, true) ~= nil
end), hint_at(line_of(held)))
local line = line_of(held)
vim.api.nvim_buf_set_lines(buffer, line, line + 1, false, { "    rows = bytearray(50 * 1024 * 1024)" })
vim.cmd("silent write")
check("a changed run", profile_app(), finished)
check("the difference stands at the line", wait(function()
  return (hint_at(line) or ""):find("50.0 MiB ▲ +2.00 peak", 1, true) ~= nil
end), hint_at(line))

vim.lsp.stop_client(id)
check("the server ends", wait(function()
  return vim.lsp.get_client_by_id(id) == nil
end))
io.write(("%d passed, %d failed\n"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
