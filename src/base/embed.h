/* Files that become part of the library. */
#ifndef ECDC_BASE_EMBED_H
#define ECDC_BASE_EMBED_H

/* Defines the bytes SYMBOL ... SYMBOL_end, a 0 behind them; `path` is a string literal that the build passes (CMakeLists.txt, which
 * must also recompile the file when that one changes: no compiler sees it from here).
 *
 * The assembler copies the files: a C array of 16 million numbers would take the compiler minutes. Being inside a C
 * file keeps the compiler's note that the stack need not be executable. */
#define EMBED(symbol, path)                                                                                  \
    __asm__(".pushsection .rodata\n"                                                                         \
            ".balign 64\n"                                                                                   \
            ".global " #symbol "\n.hidden " #symbol "\n.type " #symbol ", %object\n"                         \
            #symbol ":\n.incbin \"" path "\"\n"                                                              \
            ".size " #symbol ", . - " #symbol "\n"                                                           \
            ".global " #symbol "_end\n.hidden " #symbol "_end\n"                                             \
            #symbol "_end:\n.byte 0\n"                                                                       \
            ".popsection\n");                                                                                \
    extern __attribute__((visibility("hidden"))) const char symbol[], symbol##_end[]

#endif
