#include "study/sweep.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "media/output.h"
#include "study/cache.h"

/* .making-PART-PID.EXTENSION, as build.c names what it makes; n characters of a name. */
static bool is_being_made(const char *name, size_t n, const char *part) {
    static const char begin[] = ".making-";
    static const char *const extensions[] = {".npy", ".tsv", ".json", ".nii.gz"};
    size_t n_begin = sizeof begin - 1, n_part = strlen(part);
    if (n <= n_begin + n_part + 1 || strncmp(name, begin, n_begin) != 0 || strncmp(name + n_begin, part, n_part) != 0 ||
        name[n_begin + n_part] != '-')
        return false;
    const char *pid = name + n_begin + n_part + 1, *extension = pid + strspn(pid, "0123456789");
    size_t left = extension < name + n ? (size_t)(name + n - extension) : 0;
    for (size_t i = 0; extension > pid && i < sizeof extensions / sizeof *extensions; i++)
        if (left == strlen(extensions[i]) && strncmp(extension, extensions[i], left) == 0)
            return true;
    return false;
}

static bool is_named(const char *name, size_t n, const char *wanted) {
    return wanted && strlen(wanted) == n && strncmp(name, wanted, n) == 0;
}

void sweep_part(const char *cache, const char *part, const char *final) {
    char *json = *final ? description_path(final) : NULL;
    const char *description = json && strrchr(json, '/') ? strrchr(json, '/') + 1 : json;
    DIR *entries = opendir(cache);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        size_t n_base;
        bool half = output_is_temporary(entry->d_name, &n_base), whole = is_being_made(entry->d_name, strlen(entry->d_name), part);
        const char *base = entry->d_name + 1;
        if (!whole && !(half && (is_being_made(base, n_base, part) || is_named(base, n_base, description))))
            continue;
        char *path = ecdc_strfmt("%s/%s", cache, entry->d_name);
        if (path && whole)
            unlink(path);
        else if (path)
            output_remove_abandoned(path);
        free(path);
    }
    if (entries)
        closedir(entries);
    free(json);
}
