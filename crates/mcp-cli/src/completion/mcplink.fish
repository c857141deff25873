# fish completion for mcplink. It asks the program, which contacts no server for it.
function __mcplink_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (mcplink __complete fish -- $words "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c mcplink -f -a '(__mcplink_complete)'
