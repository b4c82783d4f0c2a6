# A help text as sections of a manual page: usage, sentences, and a list of options or commands.

function escaped(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    return text
}
# Words in capitals are what the user puts there.
function marked(text,    words, n, i, all) {
    n = split(escaped(text), words, " ")
    for (i = 1; i <= n; i++) {
        if (words[i] ~ /^[A-Z]+[,|]?$/)
            sub(/[A-Z]+/, "\\fI&\\fR", words[i])
        else if (words[i] ~ /^\\-/)
            sub(/^[^,]+/, "\\fB&\\fR", words[i])
        all = all (i > 1 ? " " : "") words[i]
    }
    return all
}
# A line of text that begins like a request gets a \\& before it.
function say(text) {
    sub(/^ +/, "", text)
    print (text ~ /^[.']/ ? "\\&" : "") escaped(text)
}

part == "" && /^usage: / {
    part = "usage"
    usage = substr($0, 8)
    next
}
part == "usage" && NF {
    usage = usage " " $0
    next
}
part == "usage" {
    part = "text"
    next
}
# An entry: two spaces, its name, two or more spaces, its text.
/^  [^ ]/ || /^      --/ {
    if (part != "list") {
        flush_head()
        print name == "ecdc" ? ".SH COMMANDS" : ".SH OPTIONS"
        part = "list"
    }
    left = substr($0, 3)
    sub(/^ +/, "", left)
    text = ""
    if (match(left, /  +/)) {
        text = substr(left, RSTART + RLENGTH)
        left = substr(left, 1, RSTART - 1)
    }
    print ".TP"
    print (left ~ /^[a-z-]+$/ ? "\\fB" escaped(left) "\\fR" : marked(left))
    if (text != "")
        say(text)
    next
}
part == "list" && NF {
    say($0)
    next
}
part == "text" && NF {
    sentences[++n_sentences] = $0
    next
}
part == "text" {
    sentences[++n_sentences] = ""
}

function flush_head(    i, one_line) {
    for (i = 1; i <= n_sentences && sentences[i] != ""; i++)
        one_line = one_line (i > 1 ? " " : "") sentences[i]
    sub(/\.$/, "", one_line)
    print ".SH NAME"
    print escaped(name) " \\- " escaped(one_line)
    print ".SH SYNOPSIS"
    print marked(usage)
    print ".SH DESCRIPTION"
    while (n_sentences && sentences[n_sentences] == "")
        n_sentences--
    for (i = 1; i <= n_sentences; i++) {
        if (sentences[i] == "")
            print ".PP"
        else
            say(sentences[i])
    }
}
END {
    if (part != "list")
        flush_head()
}
