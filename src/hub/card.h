/* Model cards: the README.md of a repository, which begins with metadata. */
#ifndef ECDC_HUB_CARD_H
#define ECDC_HUB_CARD_H

#include <stddef.h>

/* The licence in the YAML between the two "---" at the beginning: the value of license_name where there is one, else of
 * license, or the first of its list; "" where the card states none or one longer than `size`. Returns licence. */
const char *card_licence(const char *text, size_t n, char *licence, size_t size);

#endif
