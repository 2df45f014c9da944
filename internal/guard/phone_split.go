package guard

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// numberPiece is a part of a list that should be one number.
type numberPiece struct {
	raw   string // as it was written
	clean string // without the punctuation inside a number
}

// numberSplitter cuts a list of numbers the way a person reads it. Separators,
// quotes, brackets and the words of wordSeparators end a number. A space or slash
// ends it if the number before it is complete; otherwise it belongs to the number.
type numberSplitter struct {
	countries []string // allowed calling codes
	count     int      // pieces so far
	yield     func(numberPiece) bool
	stopped   bool

	piece     numberPiece // what is being joined
	isWords   bool        // the piece has no digit
	numbering string      // the list numbering before the piece, if any
}

// splitNumbers yields what should be one number each.
func splitNumbers(list, countries []string) iter.Seq[numberPiece] {
	return func(yield func(numberPiece) bool) {
		s := &numberSplitter{countries: countries, yield: yield}
		for _, entry := range list {
			for part := range strings.FieldsFuncSeq(entry, isListSeparator) {
				if s.addPart(part); s.stopped {
					return
				}
			}
		}
	}
}

// addPart takes a part of a list between separators.
func (s *numberSplitter) addPart(part string) {
	for enclosed := range strings.FieldsFuncSeq(part, isEnclosure) {
		for token := range strings.FieldsFuncSeq(enclosed, isSoftSeparator) {
			if s.add(token); s.stopped {
				return
			}
		}
		s.endPiece() // numbering may stand before a quote
	}
	s.end()
}

func isListSeparator(r rune) bool { return strings.ContainsRune(",;\r\n\t|，；、", r) }

func isEnclosure(r rune) bool { return strings.ContainsRune("\"'“”„‘’«»<>[]{}", r) }

func isSoftSeparator(r rune) bool { return unicode.IsSpace(r) || r == '/' }

// wordSeparators are the words that people write between numbers, in English,
// Swahili and Luganda.
var wordSeparators = []string{"and", "or", "na", "ne", "&"}

// numberingPattern is the numbering of a list, such as 1. or 2).
var numberingPattern = lazyregexp.New(`^\(?(\d{1,3})[.):]$`)

// attachedNumberingPattern is numbering without a space before its number.
var attachedNumberingPattern = lazyregexp.New(`^(\d{1,2}[.)])((?:\+|0)[\d().-]{8,})$`)

// add takes the next token between spaces.
func (s *numberSplitter) add(token string) {
	clean := cleanNumber(token)
	hasDigit := strings.ContainsFunc(clean, unicode.IsDigit)
	switch {
	case slices.Contains(wordSeparators, strings.ToLower(token)):
		s.end()
		return
	case clean == "": // a bullet or a dash
		return
	case !hasDigit && clean != "+" && !strings.HasPrefix(strings.ToLower(clean), "tel"):
		if !s.isWords {
			s.end()
		}
		s.join(token, clean)
		s.isWords = true
		return
	}
	if s.isWords || s.begins(clean) {
		s.end()
	}
	if s.stopped {
		return
	}
	if m := attachedNumberingPattern().FindStringSubmatch(token); m != nil && s.piece.clean == "" {
		token, clean = m[2], cleanNumber(m[2])
	}
	if s.piece.clean == "" && s.numbering == "" && numberingPattern().MatchString(token) {
		s.numbering = token // decided by what follows
		return
	}
	if s.numbering != "" {
		s.resolveNumbering(clean)
	}
	s.join(token, clean)
}

// resolveNumbering decides whether "1." before a number is the numbering of a list:
// if it counts the numbers, or if the number begins as only a whole one does.
// Otherwise it may be a calling code, and belongs to the number.
func (s *numberSplitter) resolveNumbering(next string) {
	token := s.numbering
	s.numbering = ""
	n, _ := strconv.Atoi(numberingPattern().FindStringSubmatch(token)[1])
	if n == s.count+1 || strings.HasPrefix(next, "0") || strings.HasPrefix(next, "+") || strings.HasPrefix(next, "256") {
		return
	}
	s.join(token, cleanNumber(token))
}

func (s *numberSplitter) join(token, clean string) {
	s.piece.raw = strings.TrimSpace(s.piece.raw + " " + token)
	s.piece.clean += clean
}

// begins reports whether a token begins a new number.
func (s *numberSplitter) begins(clean string) bool {
	switch {
	case s.piece.clean == "" || s.piece.clean == "+" || strings.EqualFold(s.piece.clean, "tel:"):
		return false
	case strings.HasPrefix(clean, "+"), strings.HasPrefix(strings.ToLower(clean), "tel:"):
		return true
	}
	return isComplete(s.piece.clean, s.countries)
}

// end yields the piece, and numbering that nothing followed.
func (s *numberSplitter) end() {
	if token := s.numbering; token != "" {
		s.numbering = ""
		s.join(token, cleanNumber(token))
	}
	s.endPiece()
}

// endPiece yields the piece, if there is one.
func (s *numberSplitter) endPiece() {
	piece := s.piece
	s.piece, s.isWords = numberPiece{}, false
	if piece.raw != "" && !s.stopped {
		s.count++
		s.stopped = !s.yield(piece)
	}
}

// cleanNumber makes digits plain and removes what people write between the digits of
// a number: spaces, dashes, dots, brackets and invisible characters. The .0 that
// spreadsheets add to whole numbers goes, too.
func cleanNumber(token string) string {
	token = norm.NFKC.String(token)
	if whole, zeros, ok := strings.Cut(token, "."); ok && len(whole) >= 9 && zeros != "" && strings.Trim(zeros, "0") == "" {
		token = whole
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || sanitize.IsInvisible(r) || strings.ContainsRune("().•·", r) {
			return -1
		}
		return r
	}, token)
}
