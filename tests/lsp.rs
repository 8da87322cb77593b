//! The language server as editors use it: the real program over a pipe. Tests wait for messages and never sleep.
//!
//! | message | test |
//! | --- | --- |
//! | `initialize`, `initialized` | every one; out of order: `robust::requests_out_of_order_are_answered` |
//! | `shutdown`, `exit` | `plumbing::exit_ends_the_server_while_its_input_is_open` and the next three |
//! | `$/cancelRequest` | `plumbing::three_hundred_messages_behind_waiting_handlers_are_answered`, `profile::progress_ends_when_its_request_is_cancelled` |
//! | `$/progress`, `window/workDoneProgress/create`, `…/cancel` | `profile::progress_goes_to_the_editors_token`, `profile::a_cancelled_run_shows_what_was_recorded` |
//! | `textDocument/didOpen`, `didChange` | `plumbing::four_hundred_changes_are_applied_in_order`, `profile::edits_keep_figures_on_their_lines` |
//! | `textDocument/didSave` | `what::a_saved_file_is_run_where_the_settings_say_so` |
//! | `textDocument/didClose` | `protocol::renamed_files_keep_their_figures`, `limits::limits_of_files_that_are_not_open_hold` |
//! | `notebookDocument/didOpen`, `didChange`, `didSave`, `didClose` | `protocol::cells_of_a_notebook_are_run_in_their_order` |
//! | `textDocument/inlayHint` | `profile::a_run_ends_in_hints_lenses_and_hovers` |
//! | `inlayHint/resolve` | `protocol::tooltips_of_hints_come_when_they_are_asked_for` |
//! | `workspace/inlayHint/refresh` | `running::figures_grow_while_the_program_runs` |
//! | `textDocument/codeLens`, `codeLens/resolve` | `documents::runs_are_offered_where_they_begin`, `profile::a_run_ends_in_hints_lenses_and_hovers` |
//! | `textDocument/hover` | `profile::a_run_ends_in_hints_lenses_and_hovers`, `profile::hovers_are_plain_where_the_editor_wants_that`, `protocol::hovers_say_which_text_they_are_about` |
//! | `textDocument/codeAction` | `documents::runs_are_offered_where_they_begin`, `limits::diagnostics_carry_what_quick_fixes_need` |
//! | `textDocument/publishDiagnostics` | `limits::a_changed_limit_is_applied_without_another_run` and all others there |
//! | `textDocument/diagnostic`, `workspace/diagnostic`, `…/refresh` | `protocol::diagnostics_are_asked_for_where_they_cannot_be_sent`, `protocol::diagnostics_of_all_files_are_asked_for_at_once` |
//! | `textDocument/prepareCallHierarchy`, `callHierarchy/incomingCalls`, `outgoingCalls` | `protocol::call_hierarchy_tells_who_leads_to_an_allocation` |
//! | `textDocument/documentLink` | `protocol::files_that_a_configuration_names_are_links` |
//! | `workspace/executeCommand` | each command: `what`, `figures`, `sessions`, `limits`; wrong ones: `robust::requests_out_of_order_are_answered` |
//! | `workspace/configuration`, `didChangeConfiguration` | `profile::settings_are_asked_for_where_the_editor_can_answer`, `profile::settings_choose_what_is_shown_and_may_change`; each setting: `settings`, and where its subject is |
//! | `client/registerCapability`, `workspace/didChangeWatchedFiles` | `protocol::a_file_that_changed_on_the_disk_is_told_once` |
//! | `workspace/didChangeWorkspaceFolders` | `protocol::folders_come_and_go` |
//! | `workspace/didRenameFiles` | `protocol::renamed_files_keep_their_figures` |
//! | `window/showDocument` | `protocol::a_report_is_opened_or_its_place_is_said` |
//! | `window/showMessageRequest` | `figures::a_person_is_asked_where_the_editor_cannot_choose` |
//! | `window/showMessage`, `logMessage` | `protocol::editors_without_progress_are_told_in_messages`, `running::output_comes_as_lines_of_the_log_to_other_editors` |
//! | `heaphint/output`, `heaphint/runFinished` | `running::output_arrives_whole_and_in_order` |
//!
//! What the world does: an editor that sends garbage (`plumbing::garbage_is_an_error_and_nothing_else`), huge documents
//! (`robust::huge_documents_are_edited_and_annotated`), requests out of order (`robust::requests_out_of_order_are_answered`), dies
//! (`robust::an_editor_that_vanishes_takes_the_program_with_it`) or never answers
//! (`plumbing::three_hundred_messages_behind_waiting_handlers_are_answered`); a program that dies
//! (`robust::programs_that_die_are_shown_as_far_as_they_came`), hangs (`profile::a_cancelled_program_is_asked_before_it_is_killed`, `profile::a_program_that_will_not_end_is_killed`), forks on and
//! on (`robust::a_program_that_forks_on_and_on_does_not_stop_the_server`), leaves processes behind
//! (`robust::what_left_its_group_and_session_ends_with_the_server_too`) or writes a gigabyte
//! (`running::a_flood_of_output_does_not_fill_the_server`); captures that are cut, hostile or newer
//! (`robust::captures_that_are_cut_hostile_or_newer_are_refused_or_shown`); a disk that cannot be written
//! (`robust::a_project_on_a_read_only_disk_is_profiled`, `robust::a_project_that_cannot_be_written_is_profiled`) or that answers late
//! (`robust::a_disk_that_does_not_answer_holds_up_nobody_else`).

mod client;
mod documents;
mod figures;
mod limits;
mod plumbing;
mod profile;
mod project;
mod protocol;
mod robust;
mod running;
mod sessions;
mod settings;
mod what;
