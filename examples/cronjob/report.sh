# Says what it was asked for. A real report would read the table; this one shows where each word of
# the config file ends up.
echo "report of ${REPORT_TABLE:-nothing} for: $*"
