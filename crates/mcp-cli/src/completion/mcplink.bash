# bash completion for mcplink. It asks the program, which contacts no server for it.
_mcplink() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) compopt -o default -o bashdefault 2>/dev/null ;;
            '') ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <(mcplink __complete bash -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -gt 0 && ( ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == */ ) ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _mcplink mcplink
