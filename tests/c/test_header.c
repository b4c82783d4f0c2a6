/* The public header alone, before anything else, and what it promises of constants. */
#include "ecdc.h"

#include "golden.h"

static void test_strings(void **state) {
    (void)state;
    assert_string_equal(ecdc_version(), ECDC_VERSION_STRING);
    assert_string_equal(ecdc_status_name(ECDC_E_FORMAT), "ECDC_E_FORMAT");
    assert_string_equal(ecdc_status_name((ecdc_status)99), "unknown status");
    assert_true(ecdc_default_settings().bandwidth_kbps == 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
