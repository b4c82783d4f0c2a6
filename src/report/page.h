/* The page of a report: page.html with its {{NAMES}} filled in. */
#ifndef ECDC_REPORT_PAGE_H
#define ECDC_REPORT_PAGE_H

#include "media/output.h"
#include "report/material.h"

ecdc_status page_write(struct output *o, const struct report_material *m, ecdc_error *err);

#endif
