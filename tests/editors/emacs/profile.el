;;; profile.el --- Emacs' own LSP client (eglot) against `heaphint server'  -*- lexical-binding: t; -*-
;; Configured as server/EDITORS.md says: run with progress, hint, hover, diagnostic, edit, figures that grow, cancel,
;; comparison, exit.
;; Started by tests/editors/run.sh with $HEAPHINT and $WORKSPACE; ends with 1 when a check failed.
(require 'eglot)
(require 'flymake)
(require 'seq)
(setq native-comp-jit-compilation nil
      eglot-events-buffer-config '(:size 0)
      eglot-sync-connect 20
      create-lockfiles nil)
;; The documented configuration finds the program under test on the search path.
(push (file-name-directory (getenv "HEAPHINT")) exec-path)
(setenv "PATH" (concat (file-name-directory (getenv "HEAPHINT")) ":" (getenv "PATH")))
(with-temp-buffer
  (insert-file-contents (getenv "EDITORS_MD"))
  (search-forward ";; begin: emacs")
  (narrow-to-region (point) (progn (search-forward ";; end: emacs") (match-beginning 0)))
  (eval-buffer))

(defvar passed 0)
(defvar failed 0)
(defun check (name ok &optional seen)
  "Count whether the check NAME is OK, and show what was SEEN when it is not."
  (if ok
      (setq passed (1+ passed))
    (setq failed (1+ failed)))
  (princ (if ok (format "ok   %s\n" name) (format "FAIL %s\n     %S\n" name seen))))

(defun until (condition)
  "Wait for CONDITION to return something, and return it."
  (let ((end (+ (float-time) 20)) value)
    (while (and (not (setq value (funcall condition))) (< (float-time) end))
      (accept-process-output nil 0.05))
    value))

(defvar finished nil "What the server said of the runs that ended, newest first.")
(cl-defmethod eglot-handle-notification (_server (_method (eql heaphint/runFinished)) &rest result)
  (push result finished))
(defvar progress nil "Progress values, newest first.")
(cl-defmethod eglot-handle-notification :before (_server (_method (eql $/progress)) &key value &allow-other-keys)
  (push value progress))

(defun line-of (text)
  "The number of the line that contains TEXT, from 0."
  (save-excursion
    (goto-char (point-min))
    (and (search-forward text nil t) (1- (line-number-at-pos)))))

(defun drawn-hint (line)
  "The inlay hint that eglot draws on LINE."
  ;; A batch run has no display whose redrawing would ask for hints.
  (eglot--update-hints-1 (point-min) (point-max))
  (accept-process-output nil 0.05)
  (save-excursion
    (goto-char (point-min))
    (forward-line line)
    (seq-some (lambda (overlay)
                (and (overlay-get overlay 'eglot--inlay-hint)
                     (or (overlay-get overlay 'before-string) (overlay-get overlay 'after-string))))
              (overlays-in (line-beginning-position) (min (point-max) (1+ (line-end-position)))))))

(defun hint-matches (line text)
  "Whether the hint drawn on LINE contains TEXT."
  (string-search text (or (drawn-hint line) "")))

(defconst held "bytearray(48 *")
(find-file (expand-file-name "app.py" (getenv "WORKSPACE")))
(switch-to-buffer (current-buffer))
(let ((inhibit-message t))
  (call-interactively #'eglot))
(check "the server answers" (until #'eglot-managed-p))
(defvar server (eglot-current-server))
(eglot-inlay-hints-mode 1)
(check "no hint before a run" (not (drawn-hint (line-of held))))

(defun profile (file &optional token)
  "Ask for a run of FILE with progress on TOKEN."
  (jsonrpc-request server :workspace/executeCommand
                   `(:command "heaphint.profile" :arguments [(:uri ,(eglot-path-to-uri file))]
                     ,@(and token (list :workDoneToken token)))))

(let* ((answer (profile (buffer-file-name)))
       (end (until (lambda () (car finished)))))
  (check "a run finishes" (equal (plist-get end :outcome) "finished") end)
  (check "the command answered with the run" (equal (plist-get answer :run) (plist-get end :run)) answer))
(check "the run was told by progress"
       (until (lambda () (and (equal (plist-get (car progress) :kind) "end")
                              (equal (plist-get (car (last progress)) :kind) "begin"))))
       progress)
(check "the hint stands at the line"
       (until (lambda () (hint-matches (line-of held) "48.0 MiB peak")))
       (drawn-hint (line-of held)))

(flymake-mode 1)
(flymake-start)
(let ((diagnostic (until (lambda () (car (flymake-diagnostics))))))
  (check "the diagnostic stands at the function"
         (and diagnostic
              (string-search "48.0 MiB" (flymake-diagnostic-text diagnostic))
              (= (line-of "def load") (1- (line-number-at-pos (flymake-diagnostic-beg diagnostic)))))
         (and diagnostic (flymake-diagnostic-text diagnostic))))

(goto-char (point-min))
(forward-line (line-of held))
(back-to-indentation)
(let ((text (plist-get (plist-get (jsonrpc-request server :textDocument/hover (eglot--TextDocumentPositionParams))
                                  :contents)
                       :value)))
  (check "the hover tells figures and stacks"
         (and text (string-search "48.0 MiB" text) (string-search "load" text))
         text))

(goto-char (point-min))
(insert "# one\n# two\n")
(eglot--signal-textDocument/didChange)
(check "the hint moves with its line"
       (until (lambda () (and (= (line-of held) 6) (hint-matches 6 "48.0 MiB peak"))))
       (drawn-hint 6))
(let ((before (drawn-hint 6)))
  (goto-char (point-min))
  (search-forward held)
  (end-of-line)
  (insert " + b''")
  (eglot--signal-textDocument/didChange)
  (check "an edited line's figure is marked as old"
         (until (lambda () (let ((now (drawn-hint 6))) (and now (not (equal-including-properties now before)) (not (equal now before))))))
         (drawn-hint 6)))
(goto-char (point-min))
(forward-line 6)
(delete-line)
(eglot--signal-textDocument/didChange)
(check "a deleted line loses its figure"
       (until (lambda () (not (hint-matches 6 "48.0 MiB peak"))))
       (drawn-hint 6))
(set-buffer-modified-p nil)

(setq finished nil progress nil)
(profile (expand-file-name "slow.py" (getenv "WORKSPACE")) "slow")
(check "progress tells what the program holds"
       (until (lambda () (seq-some (lambda (value)
                                     (string-match-p "[0-9]+ s.*2[0-9]\\.[0-9] MiB" (or (plist-get value :message) "")))
                                   progress)))
       progress)
(jsonrpc-notify server :window/workDoneProgress/cancel '(:token "slow"))
(check "a cancelled run ends"
       (until (lambda () (equal (plist-get (car finished) :outcome) "cancelled")))
       finished)

;; Figures that grow while the program runs.
(setq finished nil)
(find-file (expand-file-name "grows.py" (getenv "WORKSPACE")))
(switch-to-buffer (current-buffer))
(check "the second file has the server, too" (until #'eglot-managed-p))
(eglot-inlay-hints-mode 1)
(defun held-at (line)
  "The MiB that the hint on LINE tells; nil without one."
  (let ((hint (drawn-hint line)))
    (and hint (string-match "\\([0-9.]+\\) MiB peak" hint) (string-to-number (match-string 1 hint)))))
(let ((line (line-of "return bytearray")) first)
  (heaphint-profile "file")
  (check "figures appear while the program runs" (setq first (until (lambda () (held-at line)))) (drawn-hint line))
  (check "they grow" (until (lambda () (> (or (held-at line) 0) (or first 0)))) (drawn-hint line))
  (goto-char (point-min))
  (insert "# one\n")
  (eglot--signal-textDocument/didChange)
  (check "they follow their lines" (until (lambda () (held-at (1+ line)))) (drawn-hint (1+ line))))
(check "the program is still running" (not finished) finished)
(heaphint "cancel")
(check "the command cancels the run"
       (until (lambda () (equal (plist-get (car finished) :outcome) "cancelled")))
       finished)
(set-buffer-modified-p nil)

;; The difference to the run before.
(find-file (expand-file-name "app.py" (getenv "WORKSPACE")))
(switch-to-buffer (current-buffer))
(revert-buffer t t)
(defun profile-app ()
  "Run app.py to its end."
  (setq finished nil)
  (heaphint-profile "file")
  (until (lambda () (equal (plist-get (car finished) :outcome) "finished"))))
(check "a run to compare with" (profile-app) finished)
(let ((completing-read-function (lambda (_prompt names &rest _) (caar names))))
  (heaphint-compare))
(check "nothing has changed yet"
       (until (lambda () (hint-matches (line-of held) "48.0 MiB = peak")))
       (drawn-hint (line-of held)))
(let ((line (line-of held)))
  (goto-char (point-min))
  (search-forward held)
  (replace-match "bytearray(50 *")
  (let ((inhibit-message t))
    (save-buffer))
  (check "a changed run" (profile-app) finished)
  (check "the difference stands at the line"
         (until (lambda () (hint-matches line "50.0 MiB ▲ +2.00 peak")))
         (drawn-hint line)))

(eglot-shutdown server)
(check "the server ends" (until (lambda () (not (jsonrpc-running-p server)))))
(princ (format "%d passed, %d failed\n" passed failed))
(kill-emacs (if (= failed 0) 0 1))
;;; profile.el ends here
