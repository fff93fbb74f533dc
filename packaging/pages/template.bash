# Completion of @PROGRAM@ for bash. Made by packaging/pages from the parser of the command: do not edit.
# It reads the words on the line and the folder that they name. It runs nothing.

_@ID@() {
    local -a words=() excluded=() options=() choices=()
    local current='' raw='' prefix='' command='' option='' lead='' literal='' word
    local -i pending=0 place=0 takes=0
    COMPREPLY=()
    _@ID@_words
    for raw in "${words[@]:1}"; do
        _@ID@_unquote "$raw"
        _@ID@_pass "$word"
    done
    _@ID@_unquote "$current"
    if ((pending > 0)); then
        _@ID@_values
    elif [[ -z $literal && $word == -*=* ]]; then
        option=${word%%=*} lead=${word%%=*}= word=${word#*=}
        _@ID@_values
    elif [[ -z $literal && $word == -* ]]; then
        _@ID@_options
    else
        _@ID@_positional
    fi
}

# The words up to the cursor, as they were typed: readline takes a word apart at = and :, which it must not here.
# Sets words, current (the word at the cursor) and prefix (what of it readline will not replace).
_@ID@_words() {
    local piece glue=''
    local -i at
    for ((at = 0; at <= COMP_CWORD; at++)); do
        piece=${COMP_WORDS[at]-}
        if ((at == COMP_CWORD)); then
            [[ -z $piece && ${COMP_LINE-} == *[[:space:]] ]] && glue=''
            _@ID@_cut_at_cursor
        fi
        if ((at > 1)) && [[ $piece && -z ${piece//[=:]/} ]]; then
            words[-1]+=$piece glue=1 prefix=${words[-1]}
        elif [[ $glue ]]; then
            prefix=${words[-1]} glue=''
            words[-1]+=$piece
        else
            prefix=''
            words+=("$piece")
        fi
    done
    current=${words[-1]}
    unset 'words[-1]'
}

_@ID@_cut_at_cursor() {
    local after=''
    [[ ${COMP_LINE-} && ${COMP_POINT-} ]] && after=${COMP_LINE:COMP_POINT}
    after=${after%%[[:space:]]*}
    piece=${piece%"$after"}
}

# Sets word to what the shell would make of a word, with a quotation that is still open. Nothing is expanded.
_@ID@_unquote() {
    local text=$1 quote='' char
    word=''
    while [[ $text ]]; do
        char=${text:0:1} text=${text:1}
        if [[ $quote != \' && $char == \\ ]]; then
            # Between double quotes it stands for itself, but before these.
            [[ $quote && ${text:0:1} != [\"\\\$\`] ]] && word+=\\
            word+=${text:0:1} text=${text:1}
        elif [[ $quote && $char == "$quote" ]]; then
            quote=''
        elif [[ -z $quote && $char == [\"\'] ]]; then
            quote=$char
        else
            word+=$char
        fi
    done
}

# Goes past a word that is complete.
_@ID@_pass() {
    if ((pending > 0)); then
        pending+=-1
    elif [[ -z $literal && $1 == -- ]]; then
        literal=1
    elif [[ -z $literal && $1 == -?* ]]; then
        option=${1%%=*}
        _@ID@_look_up
        [[ $1 == *=* ]] || pending=takes
    elif [[ $command || -z '@HAS_COMMANDS@' ]]; then
        place+=1
    else
        command=$1
    fi
}

# Of $option of $command: adds to excluded what it leaves no room for, sets takes to how many values it takes.
_@ID@_look_up() {
    takes=0
    case "$command $option" in
@LOOK_UP@
        *) : ;;
    esac
}

_@ID@_options() {
    local one
    case $command in
@OPTIONS@
        *) options=() ;;
    esac
    for one in "${options[@]}"; do
        [[ " ${excluded[*]-} " == *" $one "* ]] || _@ID@_offer "$one"
    done
}

# The values of $option.
_@ID@_values() {
    case "$command $option" in
@VALUES@
        *) : ;;
    esac
}

_@ID@_positional() {
    if [[ -z $command && '@HAS_COMMANDS@' ]]; then
        choices=(@COMMANDS@)
        _@ID@_offer "${choices[@]}"
        return
    fi
    case "$command $place" in
@POSITIONALS@
        *) : ;;
    esac
}

# Offers those of these words that begin as the word at the cursor does.
_@ID@_offer() {
    local one quoted
    for one; do
        [[ $one == "$word"* ]] || continue
        printf -v quoted %q "$one"
        _@ID@_reply "$quoted"
    done
}

# Offers folders and configurations.
_@ID@_configurations() {
    local one
    local -a found=()
    # Behind a = the shell would not expand it.
    [[ $lead && $word == \~* ]] && return
    mapfile -t found < <(compgen -d -- "$word"; compgen -f -X '!*.json' -- "$word")
    # Not known outside of a completion, where a test may call this.
    compopt -o filenames 2>/dev/null || :
    for one in "${found[@]}"; do
        # What is hidden, only where that is asked for.
        [[ ${one##*/} == .* && ${word##*/} != .* ]] || _@ID@_reply "$one"
    done
}

# Readline replaces only what stands behind the last = or :.
_@ID@_reply() {
    local whole=$lead$1
    COMPREPLY+=("${whole#"$prefix"}")
}

complete -F _@ID@ @PROGRAM@
