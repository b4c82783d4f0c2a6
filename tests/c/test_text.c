/* text.h and json_put.h: bytes from outside, numbers in any locale. */
#include "media_files.h"

#include <locale.h>

#include <cjson/cJSON.h>

#include "base/json_put.h"
#include "base/listener.h"
#include "base/text.h"

static void test_characters(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        int length;
        uint32_t character;
    } valid[] = {{"", 1, 0}, {"a", 1, 'a'}, {"\x7f", 1, 0x7f}, {"\xc2\x80", 2, 0x80}, {"\xdf\xbf", 2, 0x7ff},
                 {"\xe0\xa0\x80", 3, 0x800}, {"\xed\x9f\xbf", 3, 0xd7ff}, {"\xee\x80\x80", 3, 0xe000},
                 {"\xef\xbf\xbf", 3, 0xffff}, {"\xf0\x90\x80\x80", 4, 0x10000}, {"\xf4\x8f\xbf\xbf", 4, 0x10ffff}};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        uint32_t c = 99;
        assert_int_equal(utf8_next(valid[i].bytes, &c), valid[i].length);
        assert_int_equal(c, valid[i].character);
        assert_true(utf8_valid(valid[i].bytes));
    }
    /* alone, cut short, overlong, a surrogate, beyond U+10FFFF */
    static const char *const invalid[] = {"\x80", "\xe9", "\xc3", "\xe2\x82", "\xf0\x90\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
                                          "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80", "\xff", "\xc3("};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        uint32_t c;
        assert_int_equal(utf8_next(invalid[i], &c), 0);
        assert_false(utf8_valid(invalid[i]));
    }
}

static void test_replacement(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""}, {"caf\xc3\xa9.wav", "caf\xc3\xa9.wav"}, {"caf\xe9.wav", "caf\xef\xbf\xbd.wav"},
        {"\xe2\x82x\xff", "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd"}, {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *replaced = utf8_replaced(pairs[i][0]);
        assert_string_equal(replaced, pairs[i][1]);
        free(replaced);
        cJSON *json = cJSON_CreateObject();
        json_put_string(json, "name", pairs[i][0]);
        char *text = cJSON_PrintUnformatted(json);
        assert_non_null(text);
        assert_true(utf8_valid(text));
        free(text);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "name")), pairs[i][1]);
        cJSON_Delete(json);
    }
}

static void keep(void *context, const char *message) {
    strcpy(context, message);
}

static void test_what_a_terminal_would_obey(void **state) {
    (void)state;
    char text[] = "a\x1b[2J\nb\x07\x7f\xc2\x9b" "5m \xc3\xa9\xc2\xa0", heard[1000];
    const char *plain = "a?[2J?b????5m \xc3\xa9\xc2\xa0"; /* U+009B is a command, U+00A0 a space */
    ecdc_error err;
    ecdc_fail(&err, ECDC_E_IO, "%s", text);
    assert_string_equal(err.message, plain);
    listener_note(&(ecdc_listener){.context = heard, .note = keep}, "%s", text);
    assert_string_equal(heard, plain);
    text_make_plain(text);
    assert_string_equal(text, plain);
}

/* A locale with a decimal comma, which the system may have or not; made where its parts are there. */
static bool use_comma(void) {
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8", "ru_RU.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]))
            return true;
    char command[400];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s' 2> /dev/null", in_scratch("comma"));
    setenv("LOCPATH", scratch, 1);
    return system(command) == 0 && setlocale(LC_ALL, "comma");
}

static void test_numbers_have_a_point(void **state) {
    (void)state;
    static const struct {
        double number;
        const char *text;
    } numbers[] = {{1.5, "1.5"}, {0.1, "0.1"}, {3, "3.0"}, {1e300, "1e+300"}, {1.0 / 3, "0.3333333333333333"}, {-0.72, "-0.72"}};
    bool comma = use_comma();
    char text[40];
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, comma ? "1,5" : "1.5");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        number_text(numbers[i].number, text, sizeof text);
        assert_string_equal(text, numbers[i].text);
    }
    snprintf(text, sizeof text, "%.1f", 1.5); /* the caller's locale is back */
    assert_string_equal(text, comma ? "1,5" : "1.5");
    setlocale(LC_ALL, "C");
    if (!comma)
        skip(); /* with a point everywhere this says little */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_replacement),
        cmocka_unit_test(test_what_a_terminal_would_obey),
        cmocka_unit_test(test_numbers_have_a_point),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
