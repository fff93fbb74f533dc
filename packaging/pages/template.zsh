#compdef @PROGRAM@
# Completion of @PROGRAM@ for zsh. Made by packaging/pages from the parser of the command: do not edit.
# It reads the words on the line and the folder that they name. It runs nothing.

_@ID@() {
  local context state state_descr line
  local -A opt_args
@BODY@
}

# Folders and configurations.
_@ID@_configurations() {
  _path_files -/ -g '*.json(-.)'
}

@VALUES@

_@ID@ "$@"
