#!/bin/sh
# A plug-in in the shell: the token is the first line of $TOKEN_FILE, and is read again when the server refuses it.
while IFS= read -r line; do
    id=${line#*'"id":'}
    id=${id%%[!0-9]*}
    case $line in
    *'"method":"hello"'*)
        printf '{"id":%s,"result":{"protocol":1}}\n' "$id"
        ;;
    *'"method":"get"'* | *'"method":"rejected"'*)
        token=
        IFS= read -r token 2>/dev/null <"${TOKEN_FILE:-/nonexistent}"
        if [ -n "$token" ]; then
            printf '{"id":%s,"result":{"headers":{"Authorization":"Bearer %s"}}}\n' "$id" "$token"
        else
            printf '{"id":%s,"error":{"message":"there is no token in TOKEN_FILE"}}\n' "$id"
        fi
        ;;
    *)
        printf '{"id":%s,"error":{"message":"there is no such method"}}\n' "$id"
        ;;
    esac
done
