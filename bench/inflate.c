/* Decompresses the first BYTES bytes (0: all) of each file with zlib and forgets them: what reading scans costs at least.
 * Usage: inflate BYTES FILE ... */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

int main(int argc, char **argv) {
    static char block[1 << 17];
    for (int i = 2; i < argc; i++) {
        long long left = atoll(argv[1]), all = left == 0;
        gzFile file = gzopen(argv[i], "rb");
        int n = 1;
        if (!file || gzbuffer(file, sizeof block) != 0)
            return 1;
        for (; n > 0 && (all || left > 0); left -= n)
            n = gzread(file, block, sizeof block);
        if (n < 0)
            return 1;
        gzclose(file);
    }
    return argc < 3;
}
