# Completion of @PROGRAM@ for fish. Made by packaging/pages from the parser of the command: do not edit.
# It reads the words on the line and the folder that they name. It runs nothing.

# Prints what is on the line before the cursor: the command or an empty line, how many words follow it (of a program
# without commands: how many words there are), and then each option.
function __@ID@_line
    set -l words (commandline -opc)
    set -e words[1]
    set -l command ''
    set -l place 0
    set -l pending 0
    set -l literal ''
    set -l given
    for word in $words
        if test $pending -gt 0
            set pending (math $pending - 1)
        else if test -z "$literal" -a "x$word" = x--
            set literal 1
        else if test -z "$literal"; and string match -q -- '-?*' $word
            set -l parts (string split -m 1 = -- $word)
            set -a given $parts[1]
            test (count $parts) -gt 1; or set pending (__@ID@_takes "$command $parts[1]")
        else if test -n "$command" -o -z '@HAS_COMMANDS@'
            set place (math $place + 1)
        else
            set command $word
        end
    end
    # An option that still waits for its value is being written.
    test $pending -gt 0; and set -e given[-1]
    printf '%s\n' "$command" $place $given
end

# How many values follow an option of a command.
function __@ID@_takes
    switch $argv[1]
@TAKES@
        case '*'
            echo 0
    end
end

# Whether the line has come to this command, and has none of these options.
function __@ID@_free
    set -l line (__@ID@_line)
    test "x$line[1]" = "x$argv[1]"; or return 1
    for option in $argv[2..-1]
        contains -- $option $line[3..-1]; and return 1
    end
    return 0
end

# Whether the next word of this command is the one at this place.
function __@ID@_awaits
    set -l line (__@ID@_line)
    test "x$line[1]" = "x$argv[1]" -a $line[2] -eq $argv[2]
end

# Folders and configurations.
function __@ID@_configurations
    set -l behind (commandline -ct | string replace -r -- '^--?[^=/]*=' '')
    # Behind a = the shell would not expand it.
    if string match -q -- '~*' $behind; and string match -q -- '-*' (commandline -ct)
        return
    end
    for found in (complete -C "__@ID@_no_such_command $behind")
        set -l path (string split -m 1 \t -- $found)[1]
        string match -qr -- '(\.json|/)$' $path; or continue
        # Behind a colon fish also offers what is in the folder, as if this were a list of paths.
        string match -q -- '~*' $path; or test -e $path; or continue
        printf '%s\n' $path
    end
end

complete -c @PROGRAM@ -f
