# Completion of ecdc for bash. Commands and options come from the help of the very command that stands on the line.

_ecdc() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} ecdc=${COMP_WORDS[0]/#\~/$HOME} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        command=$("$ecdc" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  *[^ ].*/\1/p' | grep -vx ecdc)
        mapfile -t COMPREPLY < <(compgen -W "$command --help --version" -- "$word")
        return
    fi
    if [[ $word == = ]]; then # --option=word is three words to bash
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $before in # nothing here: names of files
    -m | --model) _ecdc_words "default random:encodec_24khz random:encodec_48khz facebook/encodec_24khz facebook/encodec_48khz" ;;
    -b | --bandwidth) _ecdc_words "1.5 3 6 12 24" ;;
    --alignment) _ecdc_words "giblet exact" ;;
    --cpu) _ecdc_words "auto avx512 avx2 neon reference" ;;
    --dtype) _ecdc_words "int64 int16 float32 float16" ;;
    --format) _ecdc_words "ecdc npy npz wav html png safetensors th" ;;
    --hrf) _ecdc_words "none causal giblet giblet-doc" ;;
    --layout) _ecdc_words "codes flat giblet" ;;
    --mode) _ecdc_words "encodec latent mel" ;;
    --precision) _ecdc_words "f32 bf16" ;;
    *)
        if [[ $word == -* ]]; then
            _ecdc_words "$("$ecdc" "$command" --help 2>/dev/null | sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\).*/\2/p')"
        elif ((COMP_CWORD == 2)); then # what the usage line begins with, where that is a word: "list | path MODEL | fetch NAME"
            _ecdc_words "$("$ecdc" "$command" --help 2>/dev/null | sed -n '1s/.*\[OPTION ...\] //p' | tr '|' '\n' |
                sed -n 's/^ *\([a-z][a-z]*\)\( .*\)\{0,1\}$/\1/p')"
        fi
        ;;
    esac
}

_ecdc_words() { # those that begin like the word at hand
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}

complete -o bashdefault -o default -F _ecdc ecdc
