package prompts_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wesendall/wesendall-mcp/internal/sampletest"
)

func TestGeneratedPrograms_OTP(t *testing.T) {
	t.Parallel()
	runPerLanguage(t, "otp", "python", func(_ *testing.T, program *generatedProgram) {
		p := otpProgram{program}
		p.checkOneCode()
		p.checkLimits()
		p.checkUnknown()
		p.checkRefused()
		p.checkNumbers()
	})
}

type otpProgram struct{ *generatedProgram }

// setNow sets the program's clock, in seconds.
func (p otpProgram) setNow(seconds int) {
	p.env = append(p.env, "OTP_NOW="+strconv.Itoa(1_700_000_000+seconds))
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// newestCode returns the code of the newest of count messages.
func (p otpProgram) newestCode(from int64, count int) string {
	p.Helper()
	texts := p.expectSent(from, count)
	if len(texts) == 0 || sixDigits.FindString(texts[0]) == "" || len(texts[0]) > 160 {
		p.Fatalf("no code in %q", texts)
	}
	return sixDigits.FindString(texts[0])
}

func otherCode(code string) string {
	if code == "000000" {
		return "111111"
	}
	return "000000"
}

func (p otpProgram) checkOneCode() {
	p.reset(5000)
	p.setNow(0)
	p.run("sent", 0, "request", "0700 000-010")
	correct := p.newestCode(5000, 1)
	store, err := os.ReadFile(filepath.Join(p.dir, "store.json"))
	if err != nil || strings.Contains(string(store), correct) {
		p.Errorf("the store has the code, or is not there: %v", err)
	}
	p.setNow(30)
	p.run("limited", 1, "request", "+256700000010")
	p.expectPosts(1)
	p.run("wrong", 1, "verify", "+256700000010", otherCode(correct))
	p.run("right", 0, "verify", "256700000010", correct)
	p.run("ended", 1, "verify", "+256700000010", correct)
	p.run("ended", 1, "verify", "+256700000011", correct)
}

func (p otpProgram) checkLimits() {
	p.reset(5000)
	for n := range 5 {
		p.setNow(61 * n)
		p.run("sent", 0, "request", "+256700000010")
	}
	p.setNow(61 * 5)
	p.run("limited", 1, "request", "+256700000010")
	p.expectPosts(5)
	correct := p.newestCode(5000, 5)
	for range 5 {
		p.program.Run(p.T, p.front.URL, p.key, p.env, "verify", "+256700000010", otherCode(correct))
	}
	p.run("ended", 1, "verify", "+256700000010", correct)
	p.setNow(3700 + 61*5)
	p.run("sent", 0, "request", "+256700000010")
	correct = p.newestCode(5000, 6)
	p.setNow(3700 + 61*5 + 301)
	p.run("expired", 1, "verify", "+256700000010", correct)
}

func (p otpProgram) checkUnknown() {
	p.reset(5000)
	p.setNow(0)
	p.run("unknown", 3, "request", "+256700000408")
	p.expectPosts(1)
	p.run("limited", 1, "request", "+256700000408")
	p.run("right", 0, "verify", "+256700000408", p.newestCode(5000, 1))

	p.reset(5000)
	if got := p.run("unknown", 3, "request", "+256700000500"); textOf(got["code"]) != "internal_error" {
		p.Errorf("%s", got)
	}
	p.expectPosts(1)
	p.expectSent(5000, 0)
}

func (p otpProgram) checkRefused() {
	p.reset(5000)
	got, posts := p.run("refused", 1, "request", "+256700000502"), p.front.RequestCount(http.MethodPost)
	if textOf(got["code"]) != "send_failed" || posts > 2 {
		p.Errorf("%s, %d requests", got, posts)
	}
	p.run("ended", 1, "verify", "+256700000502", "123456")

	p.reset(0)
	if got := p.run("refused", 1, "request", "+256700000010"); textOf(got["code"]) != "insufficient_balance" {
		p.Errorf("%s", got)
	}
	p.reset(5000)
	p.key = "sk_test_revoked"
	if got := p.run("refused", 1, "request", "+256700000010"); textOf(got["code"]) != "key_revoked" {
		p.Errorf("%s", got)
	}
	p.expectPosts(1)
}

func (p otpProgram) checkNumbers() {
	p.reset(5000)
	p.run("invalid", 1, "request", "12345")
	p.run("invalid", 1, "request", "+14155550100")
	p.run("invalid", 1, "request", "0700 000 010, 0700 000 011")
	p.expectPosts(0)
	p.run("sent", 0, "request", "0100000010")
	p.front = &sampletest.FaultProxy{URL: "http://127.0.0.1:2"}
	p.run("failed", 1, "request", "+256700000010")
}
