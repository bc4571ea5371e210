// main() of the GoogleTest programs. Results are printed as CMOCKA_MESSAGE_OUTPUT asks for, in the shapes of cmocka
// 1.1: STANDARD (default), TAP, XML, SUBUNIT. A group is a GoogleTest test suite. One difference: a skipped test
// is `ok N - name # SKIP` in TAP, since TAP readers take cmocka's `not ok N # SKIP name` for a failure.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <strings.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

enum class Outcome { Pass, Fail, Skip };

struct Message {
  std::string text;   // without a newline at its end
  std::string place;  // "file:line", or empty
};

struct Case {
  std::string name;
  Outcome outcome = Outcome::Pass;
  std::vector<Message> failures;
  std::string skip_reason;
  double seconds = 0;
};

struct Group {
  std::string name;
  int planned = 0;
  std::vector<Case> cases;

  int count(Outcome outcome) const {
    int n = 0;
    for (const Case& test : cases) n += test.outcome == outcome;
    return n;
  }
  double seconds() const {
    double sum = 0;
    for (const Case& test : cases) sum += test.seconds;
    return sum;
  }
};

// One output format.
class Printer {
 public:
  virtual ~Printer() = default;
  virtual void program_start(int /*tests*/) {}
  virtual void group_start(const Group&) {}
  virtual void case_start(const Case&) {}
  virtual void case_end(const Case&) {}
  virtual void group_end(const Group&) {}
  virtual void program_end(const std::vector<Group>&) {}
};

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

// A failure as cmocka words it: what was wrong, then where.
std::string report_of(const Case& test) {
  std::string out;
  for (const Message& failure : test.failures) {
    out += failure.text + '\n';
    if (!failure.place.empty()) out += failure.place + ": error: Failure!\n";
  }
  return out;
}

void put(FILE* file, std::string_view text) { fwrite(text.data(), 1, text.size(), file); }

class Standard : public Printer {
  void group_start(const Group& group) override { say("[==========] Running " + count(group.planned) + " test(s).\n"); }
  void case_start(const Case& test) override { say("[ RUN      ] " + test.name + '\n'); }
  void case_end(const Case& test) override {
    for (const Message& failure : test.failures) complain(failure);
    static constexpr const char* kTags[] = {"[       OK ] ", "[  FAILED  ] ", "[  SKIPPED ] "};
    say(kTags[static_cast<size_t>(test.outcome)] + test.name + '\n');
  }
  void group_end(const Group& group) override {
    say("[==========] " + count(group.planned) + " test(s) run.\n");
    put(stderr, "[  PASSED  ] " + count(group.count(Outcome::Pass)) + " test(s).\n");
    list(group, Outcome::Skip, "  SKIPPED ", "SKIPPED");
    list(group, Outcome::Fail, "  FAILED  ", "FAILED");
  }

  static std::string count(int n) { return std::to_string(n); }
  static void say(std::string_view text) {
    put(stdout, text);
    fflush(stdout);
  }
  static void complain(const Message& failure) {
    for (const std::string& line : lines_of(failure.text)) put(stderr, "[  ERROR   ] --- " + line + '\n');
    if (!failure.place.empty()) put(stderr, "[   LINE   ] --- " + failure.place + ": error: Failure!\n");
  }
  static void list(const Group& group, Outcome outcome, const std::string& tag, const std::string& word) {
    int n = group.count(outcome);
    if (n == 0) return;
    put(stderr, "[" + tag + "] " + count(n) + " test(s), listed below:\n");
    for (const Case& test : group.cases)
      if (test.outcome == outcome) put(stderr, "[" + tag + "] " + test.name + '\n');
    put(stderr, "\n " + count(n) + " " + word + " TEST(S)\n");
  }
};

class Tap : public Printer {
  void program_start(int tests) override {
    if (tests == 0) put(stdout, "1..0 # SKIP no test selected\n");
    else put(stdout, "1.." + std::to_string(tests) + "\n");
    fflush(stdout);
  }
  void case_end(const Case& test) override {
    put(stdout, line(test, std::to_string(++number_)));
    for (const std::string& text : lines_of(report_of(test))) put(stdout, "# " + text + '\n');
    fflush(stdout);
  }
  void group_end(const Group& group) override {
    put(stdout, (group.count(Outcome::Fail) ? "# not ok - " : "# ok - ") + group.name + '\n');
    fflush(stdout);
  }

  static std::string line(const Case& test, const std::string& number) {
    std::string out = (test.outcome == Outcome::Fail ? "not ok " : "ok ") + number + " - " + test.name;
    if (test.outcome == Outcome::Skip) out += " # SKIP" + (test.skip_reason.empty() ? "" : " " + test.skip_reason);
    return out + '\n';
  }
  int number_ = 0;
};

class Subunit : public Printer {
  void case_start(const Case& test) override { put(stdout, "test: " + test.name + '\n'); }
  void case_end(const Case& test) override {
    static constexpr const char* kWords[] = {"success: ", "failure: ", "skip: "};
    put(stdout, kWords[static_cast<size_t>(test.outcome)] + test.name);
    put(stdout, test.outcome == Outcome::Fail ? " [\n" + report_of(test) + "]\n" : "\n");
    fflush(stdout);
  }
};

class Xml : public Printer {
  void program_end(const std::vector<Group>& groups) override {
    const char* path = getenv("CMOCKA_XML_FILE");
    if (path == nullptr) return document(stdout, groups);
    if (std::string_view(path).find("%g") == std::string_view::npos) return to_file(path, groups);
    for (const Group& group : groups) to_file(with_group(path, group.name), {group});
  }

  static std::string with_group(std::string path, std::string name) {
    for (char& c : name)
      if (c == '/') c = '_';  // value-parameterised suites are called "Prefix/Suite"
    return path.replace(path.find("%g"), 2, name);
  }
  // A file that exists already is left alone, its content goes to stderr instead.
  static void to_file(const std::string& path, const std::vector<Group>& groups) {
    int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE* file = fd < 0 ? nullptr : fdopen(fd, "w");
    document(file ? file : stderr, groups);
    if (file) fclose(file);
  }
  static void document(FILE* file, const std::vector<Group>& groups) {
    put(file, "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<testsuites>\n");
    for (const Group& group : groups) suite(file, group);
    put(file, "</testsuites>\n");
    fflush(file);
  }
  static void suite(FILE* file, const Group& group) {
    fprintf(file,
            "  <testsuite name=\"%s\" time=\"%.3f\" tests=\"%zu\" failures=\"%d\" errors=\"0\" skipped=\"%d\" >\n",
            attribute(group.name).c_str(), group.seconds(), group.cases.size(), group.count(Outcome::Fail),
            group.count(Outcome::Skip));
    for (const Case& test : group.cases) testcase(file, test);
    put(file, "  </testsuite>\n");
  }
  static void testcase(FILE* file, const Case& test) {
    fprintf(file, "    <testcase name=\"%s\" time=\"%.3f\" >\n", attribute(test.name).c_str(), test.seconds);
    if (test.outcome == Outcome::Fail)
      put(file, "      <failure><![CDATA[" + cdata(report_of(test)) + "]]></failure>\n");
    if (test.outcome == Outcome::Skip) put(file, "      <skipped/>\n");
    put(file, "    </testcase>\n");
  }
  static std::string attribute(std::string_view text) {
    std::string out;
    for (char c : text) {
      if (c == '&') out += "&amp;";
      else if (c == '<') out += "&lt;";
      else if (c == '"') out += "&quot;";
      else out += c;
    }
    return out;
  }
  static std::string cdata(std::string text) {
    if (!text.empty()) text.pop_back();
    for (char& c : text)  // XML 1.0 has no way to write the other control characters
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = '?';
    for (size_t at = 0; (at = text.find("]]>", at)) != text.npos; at += 15) text.replace(at, 3, "]]]]><![CDATA[>");
    return text;
  }
};

// Turns GoogleTest's events into cases and groups.
class Listener : public testing::EmptyTestEventListener {
 public:
  explicit Listener(std::unique_ptr<Printer> printer) : printer_(std::move(printer)) {}

  void OnTestIterationStart(const testing::UnitTest& unit, int) override {
    printer_->program_start(unit.test_to_run_count());
  }
  void OnTestSuiteStart(const testing::TestSuite& suite) override {
    groups_.push_back({suite.name(), suite.test_to_run_count(), {}});
    printer_->group_start(groups_.back());
  }
  void OnTestStart(const testing::TestInfo& info) override {
    groups_.back().cases.push_back({std::string(info.test_suite_name()) + "." + info.name(), Outcome::Pass, {}, {}, 0});
    current_ = &groups_.back().cases.back();
    printer_->case_start(*current_);
  }
  void OnTestPartResult(const testing::TestPartResult& part) override {
    if (part.passed()) return;
    std::string text = part.message();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (current_ == nullptr) return stray(text);
    if (part.skipped()) current_->skip_reason = text.substr(0, text.find('\n'));
    else current_->failures.push_back({text, place_of(part)});
  }
  void OnTestEnd(const testing::TestInfo& info) override {
    const testing::TestResult& result = *info.result();
    current_->outcome = result.Failed() ? Outcome::Fail : result.Skipped() ? Outcome::Skip : Outcome::Pass;
    current_->seconds = static_cast<double>(result.elapsed_time()) / 1000;
    printer_->case_end(*current_);
    current_ = nullptr;
  }
  void OnTestSuiteEnd(const testing::TestSuite&) override { printer_->group_end(groups_.back()); }
  void OnTestProgramEnd(const testing::UnitTest&) override { printer_->program_end(groups_); }

 private:
  static std::string place_of(const testing::TestPartResult& part) {
    if (part.file_name() == nullptr) return "";
    return std::string(part.file_name()) + ":" + std::to_string(part.line_number());
  }
  // Outside any test (SetUpTestSuite): the exit status tells of it, stderr why.
  static void stray(const std::string& text) { put(stderr, text + '\n'); }

  std::unique_ptr<Printer> printer_;
  std::vector<Group> groups_;
  Case* current_ = nullptr;
};

template <typename T>
std::unique_ptr<Printer> make() {
  return std::make_unique<T>();
}

std::unique_ptr<Printer> chosen_printer() {
  static constexpr struct {
    const char* word;
    std::unique_ptr<Printer> (*make)();
  } kFormats[] = {{"STANDARD", make<Standard>}, {"TAP", make<Tap>}, {"XML", make<Xml>}, {"SUBUNIT", make<Subunit>}};
  const char* wanted = getenv("CMOCKA_MESSAGE_OUTPUT");
  for (const auto& format : kFormats)
    if (wanted != nullptr && strcasecmp(wanted, format.word) == 0) return format.make();
  return make<Standard>();
}

}  // namespace

// LeakSanitizer's: GNU SASL loses a name of Kerberos' library when there is no keytab for its service.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libkrb5.so\nleak:libgssapi_krb5.so\n"; }

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Listener(chosen_printer()));
  return RUN_ALL_TESTS();
}
