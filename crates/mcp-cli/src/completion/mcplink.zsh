#compdef mcplink
# zsh completion for mcplink. It asks the program, which contacts no server for it.
_mcplink() {
    local line value about
    local -a values described open opened
    while IFS= read -r line; do
        case $line in
            :files) _files ;;
            '') ;;
            *)
                value=${line%%$'\t'*}
                about=${line#*$'\t'}
                if [[ $value == *[=/] ]]; then
                    open+=("$value")
                    opened+=("$value  $about")
                else
                    values+=("$value")
                    described+=("$value  $about")
                fi
                ;;
        esac
    done < <(mcplink __complete zsh -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#values )) && compadd -l -d described -a values
    (( $#open )) && compadd -l -S '' -d opened -a open
}
if [[ $funcstack[1] == _mcplink ]]; then
    _mcplink "$@"
else
    compdef _mcplink mcplink
fi
